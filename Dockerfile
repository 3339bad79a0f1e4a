# Ciclo as an Astro project: `astro dev start` in a checkout (docs/install.md). Compose and the chart build deploy/Dockerfile.
# The image without build triggers: Astro's own would install requirements.txt, which pins an Airflow that Runtime brings
# along. Here Ciclo fits itself into Runtime's, by the ranges of pyproject.toml.
ARG RUNTIME_IMAGE=astrocrpublic.azurecr.io/runtime:3.3-7-base
FROM ${RUNTIME_IMAGE}
SHELL ["/bin/bash", "-o", "pipefail", "-c"]
USER 0:0
COPY packages.txt /usr/local/airflow/
RUN apt-get update && \
    sed '/^#/d' packages.txt | xargs --no-run-if-empty apt-get install --yes --no-install-recommends && \
    rm -rf /var/lib/apt/lists/*
COPY --chown=astro:0 pyproject.toml setup.py README.md LICENSE /usr/local/airflow/
COPY --chown=astro:0 include/ /usr/local/airflow/include/
COPY --chown=astro:0 dags/ /usr/local/airflow/dags/
COPY --chown=astro:0 plugins/ /usr/local/airflow/plugins/
RUN pip install --no-cache-dir /usr/local/airflow && pip check
# hadolint ignore=DL3066
USER astro

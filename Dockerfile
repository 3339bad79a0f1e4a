# Ciclo on the official Airflow image: pinned requirements, its Dags and plugins, and the wheel of `include/` (ciclo, and
# ciclo_sandbox for `ciclo sandbox` and `ciclo rehearse`; demo and bench stay out). Runs as user 50000 (airflow).
ARG AIRFLOW_IMAGE=apache/airflow:3.3.2-python3.11

FROM ${AIRFLOW_IMAGE} AS build
COPY --chown=airflow:root pyproject.toml setup.py README.md LICENSE /tmp/ciclo/
COPY --chown=airflow:root include/ /tmp/ciclo/include/
COPY --chown=airflow:root dags/ /tmp/ciclo/dags/
COPY --chown=airflow:root plugins/ /tmp/ciclo/plugins/
RUN pip wheel --no-cache-dir --no-deps --wheel-dir /tmp/wheels /tmp/ciclo

FROM ${AIRFLOW_IMAGE}
COPY --chown=airflow:root requirements.txt /tmp/requirements.txt
RUN pip install --no-cache-dir --requirement /tmp/requirements.txt
COPY --from=build --chown=airflow:root /tmp/wheels/ /tmp/wheels/
RUN pip install --no-cache-dir --no-deps /tmp/wheels/ciclo-*.whl && pip check
# A volume that Compose or a cluster makes begins with what is here: with this owner, not root.
RUN mkdir -m 770 /opt/airflow/reports /opt/airflow/files
COPY --chown=airflow:root dags/ /opt/airflow/dags/
COPY --chown=airflow:root plugins/ /opt/airflow/plugins/
USER 50000:0

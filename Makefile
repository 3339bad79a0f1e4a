# Everything runs from .venv, which the first target that needs it creates: Python 3.11+, git and make are enough.
# What is installed, and the tests, are compiled once: with PYTHONDONTWRITEBYTECODE, as in many containers, each of
# Airflow's processes would compile all of it anew, which takes them twice as long to start.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PYTEST := $(BIN)/python -m pytest

export PYTHONDONTWRITEBYTECODE :=

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  \033[1m%-14s\033[0m %s\n", $$1, $$2}'

CATALOGUES := $(wildcard include/ciclo/locale/*/LC_MESSAGES/ciclo.po)

$(STAMP): requirements-dev.txt pyproject.toml setup.py $(CATALOGUES)
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check "$$(grep -E '^uv==' requirements-dev.txt | cut -d' ' -f1)"
	@$(BIN)/uv pip sync --quiet --compile-bytecode --python $(BIN)/python requirements-dev.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	@$(BIN)/python scripts/messages.py compile
	@$(BIN)/python -m compileall -q include
	@touch $@

.PHONY: install
install: $(STAMP) ## Create .venv with the pinned packages (quick when nothing changed)

.PHONY: demo
demo: $(STAMP) ## Bill a made-up company's last twelve months on a real Airflow and prove it (KEEP=0: end at once)
	@$(BIN)/python -m demo $(if $(filter 0,$(KEEP)),--no-keep)

.PHONY: up
up: $(STAMP) ## Start Airflow and the sandbox, and leave them running
	@$(BIN)/python -m demo up

.PHONY: bench
bench: $(STAMP) ## Measure Ciclo against baselines, a row as it is measured, and bench.json (ONLY="issue", FULL=1: hours)
	@$(BIN)/python -W ignore -m bench --json bench.json $(if $(FULL),--full) $(ONLY)

AIRFLOW_LOG := .pytest_cache/airflow.log

.PHONY: test
test: $(STAMP) ## Run the whole test suite: what needs no Airflow, and at the same time what needs one
	@echo "Dags and a real Airflow are tested at the same time, and shown at the end; until then see $(AIRFLOW_LOG)"
	@mkdir -p $(dir $(AIRFLOW_LOG))
	@$(MAKE) --no-print-directory --jobs=2 test-fast test-beside; code=$$?; cat $(AIRFLOW_LOG); exit $$code

.PHONY: test-fast
test-fast: $(STAMP) ## Run the tests that need no Airflow
	@$(PYTEST) tests -m "not dags and not e2e and not chaos" -n auto --dist worksteal

.PHONY: test-airflow
test-airflow: $(STAMP) ## Run the tests that need Airflow: Dags in process, then a real one, which is mostly waited for
	@$(PYTEST) tests -m "dags and not e2e" -n 2
	@$(PYTEST) tests -m "e2e or chaos" -n 2 --dist loadfile

.PHONY: test-beside
test-beside: $(STAMP)
	@$(MAKE) --no-print-directory test-airflow > $(AIRFLOW_LOG) 2>&1

.PHONY: year
year: $(STAMP) ## Simulate a year of 600 rules in the mixed world, day by day (hours); less with RULES=40 UNTIL=2025-03-12
	@CICLO_CHAOS=year CICLO_YEAR_RULES=$(or $(RULES),600) CICLO_YEAR_UNTIL=$(or $(UNTIL),2026-01-12) $(PYTEST) -p no:logging tests/chaos/test_year.py

.PHONY: audit
audit: $(STAMP) ## Check pins, licences and reasons of the dependencies, as far as it can be done offline
	@$(BIN)/python scripts/audit.py

.PHONY: screenshots
screenshots: $(STAMP) ## Take the console's screenshots anew, light and dark (needs chromium)
	@$(BIN)/python scripts/screenshots.py

LINTS := lint-types lint-imports lint-unused lint-format lint-rules

.PHONY: lint $(LINTS)
lint: $(STAMP) ## Check format, lint, types, the direction of imports and that nothing lies unused
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target $(LINTS)

lint-format:
	@$(BIN)/ruff format --check .

lint-rules:
	@$(BIN)/ruff check .

lint-types:
	@$(BIN)/mypy

lint-imports:
	@$(BIN)/lint-imports

lint-unused:
	@$(BIN)/python scripts/unused.py

.PHONY: format
format: $(STAMP) ## Put the code into its format
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

.PHONY: messages
messages: $(STAMP) ## Bring the catalogues of texts up to what the code says, and compile them
	@$(BIN)/python scripts/messages.py

.PHONY: lock
lock: $(STAMP) ## Compile the pinned requirements anew from pyproject.toml
	@$(BIN)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --extra celery pyproject.toml -o requirements.txt
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --extra celery --extra parquet --extra dev -c requirements.txt pyproject.toml -o requirements-dev.txt

.PHONY: clean
clean: ## Remove what the targets made (.venv stays)
	@rm -rf .demo .up .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

.PHONY: chaos
chaos: $(STAMP) ## Kill, lose and fill up everything for half an hour, and prove that nothing is billed twice or lost
	@CICLO_CHAOS=full $(PYTEST) tests/chaos tests/jobs/simulation tests/rehearsal/test_forecast.py $(addprefix tests/e2e/test_,$(addsuffix .py,real_airflow scheduler_killed overlapping_runs))

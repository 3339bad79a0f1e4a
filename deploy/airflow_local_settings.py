"""Airflow's local settings: what nearly every Dag imports is there before Airflow forks to read one or to run a task.

Components that fork for neither, and commands, do without.
"""  # noqa: INP001 - a file of Airflow's, in `$AIRFLOW_HOME/config`

import sys

if {"scheduler", "dag-processor", "celery"} & set(sys.argv):
    import ciclo.tasks.backfill  # noqa: F401

"""The table of stages is what the Dags are: the same Dags, at the same times, with the same steps in the same order."""

from datetime import UTC, datetime

import pytest
from airflow.sdk import RetryAction
from airflow.sdk.definitions.xcom_arg import XComArg
from airflow.sdk.exceptions import AirflowNotFoundException

from ciclo.http.errors import ApiError, TransientApiError
from ciclo.jobs.runs import Step
from ciclo.jobs.stages import STAGES, next_try
from ciclo.ledger.errors import LedgerNotMigratedError, LedgerUnavailableError, LedgerUrlError


def crons(dag):
    timetable = dag.timetable
    timetable = getattr(timetable, "timetable", timetable)  # of a Dag that an asset starts, too
    several = getattr(timetable, "timetables", [timetable])
    return sorted(each.expression for each in several if hasattr(each, "expression"))


def test_the_table_has_every_dag_and_no_other(dag_bag):
    assert sorted(STAGES) == sorted(dag_bag.dags)


@pytest.mark.parametrize("stage", STAGES.values(), ids=lambda stage: stage.dag_id)
def test_a_dag_runs_when_the_table_says(dag_bag, stage):
    assert crons(dag_bag.dags[stage.dag_id]) == sorted(schedule.cron for schedule in stage.schedules)


@pytest.mark.parametrize("stage", STAGES.values(), ids=lambda stage: stage.dag_id)
def test_a_dag_has_the_steps_of_the_table_in_their_order(dag_bag, stage):
    dag = dag_bag.dags[stage.dag_id]
    names = [step.name for step in stage.steps]
    assert sorted(dag.task_ids) == sorted(names)
    for task in dag.tasks:
        before = {name for name in names if names.index(name) < names.index(task.task_id)}
        assert task.get_flat_relative_ids(upstream=True) <= before, task.task_id
    sharded = {step.name for step in stage.steps if isinstance(step, Step) and step.sharded}
    assert {task.task_id for task in dag.tasks if task.is_mapped} == sharded


def test_mapped_tasks_go_by_what_a_task_of_their_run_returned_never_by_the_dag_file(dag_bag):
    mapped = [task for dag in dag_bag.dags.values() for task in dag.tasks if task.is_mapped]
    assert mapped
    for task in mapped:
        assert isinstance(task.op_kwargs_expand_input.value["shard"], XComArg), task


@pytest.mark.parametrize("stage", STAGES.values(), ids=lambda stage: stage.dag_id)
def test_a_dag_takes_the_params_of_the_table(dag_bag, stage):
    assert sorted(dag_bag.dags[stage.dag_id].params) == sorted(stage.params)


def errors_of(parent):
    return [parent, *(each for child in parent.__subclasses__() for each in errors_of(child))]


@pytest.mark.parametrize("kind", errors_of(ApiError), ids=lambda kind: kind.__name__)
def test_a_rehearsal_tries_again_what_airflow_tries_again(kind):
    from ciclo.tasks.run import BILLING_RETRIES

    error = kind("m", method="GET", path="/p", status=500)
    decision = BILLING_RETRIES.evaluate(error, try_number=1, max_tries=5)
    again = next_try(error, 1, datetime(2026, 1, 10, tzinfo=UTC))
    assert (again is None) == (decision.action is RetryAction.FAIL)


@pytest.mark.parametrize(
    ("error", "action"),
    [
        (LedgerUnavailableError("the connection is refused"), RetryAction.RETRY),
        (LedgerUrlError("it is not a SQLAlchemy URL"), RetryAction.FAIL),
        (LedgerNotMigratedError(found=None, wanted="0002"), RetryAction.FAIL),
        (AirflowNotFoundException("The conn_id `billimatic_default` isn't defined"), RetryAction.RETRY),
    ],
    ids=lambda value: type(value).__name__,
)
def test_only_wrong_configuration_fails_at_once(error, action):
    from ciclo.tasks.run import BILLING_RETRIES

    assert BILLING_RETRIES.evaluate(error, try_number=1, max_tries=5).action is action


def test_a_task_comes_back_when_the_pause_that_the_api_wants_is_over():
    from ciclo.tasks.run import BILLING_RETRIES

    wanted = TransientApiError("too many requests", method="POST", path="/p", status=429, retry_after=3600)
    decision = BILLING_RETRIES.evaluate(wanted, try_number=1, max_tries=5)
    assert decision.action is RetryAction.RETRY
    assert decision.retry_delay.total_seconds() >= 3600

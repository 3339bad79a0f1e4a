"""Tasks that take in what differs for single periods, and the door by which people's own Dags hand it in."""

from collections.abc import Iterable

from airflow.sdk import ObjectStoragePath, get_current_context, task

from ciclo.jobs.runs import Counts
from ciclo.ledger.actions import NewAdjustment, add_adjustments
from ciclo.provider.hook import BillimaticHook
from ciclo.tasks.run import RETRYING, actor_of, now, open_job, run_step


@task(**RETRYING)
def load() -> Counts | None:
    """Add the adjustments of the file that the form names, all or none; return how many are new."""
    params = get_current_context()["params"]
    path = ObjectStoragePath(params["path"], conn_id=params.get("storage_conn_id") or None)
    with path.open("rb") as file:  # type: ignore[no-untyped-call]
        counts: Counts | None = run_step(file=file)
    return counts


@task(**RETRYING)
def correct() -> Counts | None:
    """Bring invoices that are there already to their adjustments; return counts."""
    counts: Counts | None = run_step()
    return counts


def hand_in(
    adjustments: Iterable[NewAdjustment], *, origin: str, conn_id: str = BillimaticHook.default_conn_name
) -> Counts:
    """Add adjustments from a task of your own Dag, all or none, and return how many are new; see docs/adjustments.md.

    Args:
        adjustments: what differs; each with a `key` under which your system knows it, so that it is added once.
        origin: the name of your system.
        conn_id: the connection of the organization that bills.

    Raises:
        AdjustmentsRefused: at least one cannot be added; its `errors` say which and why.
    """
    context = get_current_context()
    with open_job({**context, "params": {"billimatic_conn_id": conn_id}}) as job:
        added = add_adjustments(
            job.session,
            job.organization_id,
            adjustments,
            origin=origin,
            person=actor_of(context).label,
            at=now(),
        )
        job.session.commit()
    return added.counts()

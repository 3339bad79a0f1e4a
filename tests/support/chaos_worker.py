"""A worker for the chaos suite: a real process for each run of a job, killed with SIGKILL where it is told to die.

Imports take a second, so one parent imports and forks a child a run. A command is a line of JSON on standard input; the
answer is a line of JSON: the child's exit code (0 done, 1 to be tried again) or the signal that ended it.
"""

import json
import os
import resource
import signal
import sys
import traceback
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from ciclo import failpoints
from ciclo.billimatic import ApiError, BillimaticClient
from ciclo.domain.recurrence import DateRange
from ciclo.http.retries import RetryRules
from ciclo.jobs.context import IssueOptions, JobContext
from ciclo.jobs.issuing.adopt import adopt_existing
from ciclo.jobs.issuing.issue import finish_issuing, issue_due_periods
from ciclo.jobs.issuing.settle import StillInDoubtError, settle
from ciclo.jobs.periods.expand import expand_rules
from ciclo.jobs.price_updates import UpdateOptions, apply_price_updates, settle_updates
from ciclo.jobs.reconciliation.reconcile import reconcile
from ciclo.jobs.rules.read import DisappearedError, read_contract_list
from ciclo.ledger.database import open_engine
from ciclo.ledger.repositories import Actor, Scope

TIMEOUT = 1.5 if os.environ.get("CICLO_CHAOS") == "full" else 0.5
"""Seconds without a byte after which a client gives up: long enough that only injected silence is silence."""
LEASE, GRACE = timedelta(seconds=8 * TIMEOUT), timedelta(seconds=4 * TIMEOUT)
"""Short, as the company's requests take milliseconds. A client waits four times TIMEOUT for one at most."""
AGAIN = (ApiError, SQLAlchemyError, StillInDoubtError, DisappearedError)
"""What Airflow would try again: also an empty list that came twice, which nobody believes."""


def main() -> None:
    """Fork a child for each command until the input ends."""
    for line in sys.stdin:
        command = json.loads(line)
        child = os.fork()
        if child == 0:
            os._exit(_run(command))
        _, status, used = os.wait4(child, 0)
        ended = {"signal": os.WTERMSIG(status)} if os.WIFSIGNALED(status) else {"code": os.WEXITSTATUS(status)}
        ended["kilobytes"] = used.ru_maxrss
        sys.stdout.write(json.dumps(ended) + "\n")
        sys.stdout.flush()


def _run(command: dict[str, Any]) -> int:
    failpoints._at_failpoint = failpoints.parse(command.get("failpoints", ""))
    if command.get("room"):
        _fill_the_disk(Path(command["ledger"].removeprefix("sqlite:///")), command["room"])
    try:
        _work(command)
    except AGAIN as error:
        _log(command, f"{type(error).__name__}: {error}"[:300])
        return 1
    except Exception:  # noqa: BLE001 - whatever it is, the campaign shows it and stops
        _log(command, traceback.format_exc())
        return 2
    return 0


def _fill_the_disk(ledger: Path, room: int) -> None:
    """Let no file grow beyond the ledger's present size and some room."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    wal = ledger.with_name(f"{ledger.name}-wal")
    most = max(path.stat().st_size for path in (ledger, wal) if path.exists()) + room
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))


def _log(command: dict[str, Any], text: str) -> None:
    with Path(command["log"]).open("a") as log:
        log.write(f"{command['owner']} {command['job']}: {text}\n")


def _work(command: dict[str, Any]) -> None:
    engine = open_engine(command["ledger"])
    rules = RetryRules(first_wait=0.01, longest_wait=0.05)
    with (
        BillimaticClient(
            base_url=command["vendor"],
            token=command["token"],
            organization_id=command["organization"],
            timeout=command.get("timeout", TIMEOUT),
            requests_per_second=None,
            retries=rules,
        ) as api,
        Session(engine, expire_on_commit=False) as session,
    ):
        actor = Actor("chaos", command["owner"], command["job"])
        ahead = timedelta(days=command.get("days", 0))
        ctx = JobContext(api, session, actor, lambda: datetime.now(UTC) + ahead)
        first, last = map(date.fromisoformat, command["window"])
        scope = Scope(DateRange.days(first, last), shard=command.get("shard", 0), shards=command.get("shards", 1))
        JOBS[command["job"]](ctx, scope, command["owner"])
    engine.dispose()


def _expand(ctx: JobContext, scope: Scope, _owner: str) -> None:
    read_contract_list(ctx)
    expand_rules(ctx, scope, seen_on=ctx.today)


def _issue(ctx: JobContext, scope: Scope, owner: str) -> None:
    options = IssueOptions(concurrency=4, batch=20, lease=LEASE, grace=GRACE)
    if ctx.api.longest_request >= LEASE.total_seconds():  # an ordinary client, in no hurry
        options = IssueOptions()
    settle(ctx, scope.whole(), options)
    adopt_existing(ctx, scope.whole(), options, owner=owner)
    issue_due_periods(ctx, scope, options, owner=owner)
    finish_issuing(ctx, scope.whole(), options, owner=f"{owner}/finish")


def _update_prices(ctx: JobContext, scope: Scope, owner: str) -> None:
    options = UpdateOptions(lease=LEASE, grace=GRACE)
    settle_updates(ctx, scope.whole(), options)
    apply_price_updates(ctx, scope.whole(), options, today=ctx.today, owner=owner)
    settle_updates(ctx, scope.whole(), options)


def _reconcile(ctx: JobContext, _scope: Scope, _owner: str) -> None:
    reconcile(ctx, today=ctx.today, recheck_days=400)


JOBS = {"expand": _expand, "issue": _issue, "update": _update_prices, "reconcile": _reconcile}

if __name__ == "__main__":
    main()

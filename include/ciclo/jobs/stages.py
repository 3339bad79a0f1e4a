"""The table of Dags: when each runs, what it does step by step, and when a step that failed is tried again.

The Dags' tasks and a rehearsal both run from it. The stages stand in the order of a day. What a step does is in
`ciclo.jobs.steps`. What is retried for the vendor's API alone is in `ciclo.provider.retries`, for people's own Dags;
here is what billing adds.
"""

from datetime import datetime, time, timedelta
from enum import StrEnum
from functools import partial
from typing import NamedTuple

from ciclo.billimatic import AuthenticationError, BadRequestError, NotFoundError, RejectedError
from ciclo.domain.errors import DomainError
from ciclo.domain.price_index import PriceIndex
from ciclo.jobs.backfill import PlanChangedError, PlanNotApprovedError
from ciclo.jobs.closing.close import CLOSING_DAY, MonthNotOverError, NotClosedError
from ciclo.jobs.context import LeaseTooShortError
from ciclo.jobs.issuing.settle import NothingBilledError, StillInDoubtError
from ciclo.jobs.periods.expand import NeverExpandedError
from ciclo.jobs.rules.read import UnknownContractError
from ciclo.jobs.runs import (
    COMMON_PARAMS,
    Approval,
    DryRun,
    LedgerStep,
    ReadingStep,
    Schedule,
    Stage,
    Step,
    UnknownParamError,
    Window,
    WrongParamError,
)
from ciclo.jobs.steps import adjustments, audit, closing, contracts, issuing, prices, reconciliation
from ciclo.ledger.errors import LedgerError, LedgerUnavailableError

RETRIES = 5
FIRST_DELAY = timedelta(seconds=20)
"""Doubled with each try."""
LONGEST_DELAY = timedelta(minutes=15)
MARGIN = timedelta(seconds=2)
"""How long after a grace period's end it is settled."""


class Next(StrEnum):
    """What becomes of a step that failed."""

    RETRY = "retry"
    FAIL = "fail"


class Rule(NamedTuple):
    """What an exception means for the next try, and why."""

    exception: type[Exception]
    next: Next
    reason: str


RULES = (
    Rule(UnknownParamError, Next.FAIL, "The run was told something that its Dag does not know; start another run."),
    Rule(WrongParamError, Next.FAIL, "The run was told something that cannot be meant; start another run."),
    Rule(UnknownContractError, Next.FAIL, "The run was told contracts that there are not; start another run."),
    Rule(PlanNotApprovedError, Next.FAIL, "A person decides about the plan: the same plan would be refused again."),
    Rule(PlanChangedError, Next.FAIL, "A person decides about the plan: the same plan would be refused again."),
    Rule(NotClosedError, Next.FAIL, "Something is missing or differs: a person cures it and runs the closing again."),
    Rule(MonthNotOverError, Next.FAIL, "The month is not over: waiting a few minutes does not help."),
    Rule(
        NothingBilledError,
        Next.FAIL,
        "Everything that was due is parked or waits: a person decides, waiting does not help.",
    ),
    Rule(
        NeverExpandedError,
        Next.RETRY,
        "The month's expansion may still be running; if it never ran, the last try says so.",
    ),
    Rule(
        LeaseTooShortError,
        Next.FAIL,
        "A claim has to outlast a request; raise CICLO_LEASE_SECONDS or lower the connection's time-out.",
    ),
    Rule(
        LedgerUnavailableError,
        Next.RETRY,
        "The ledger, or what knows its address, is away or out of connections, which mostly passes.",
    ),
    Rule(
        LedgerError,
        Next.FAIL,
        "The ledger's address is wrong, or it is not migrated; correct the setting or run ciclo db upgrade.",
    ),
)
"""The first rule that names an exception's class decides."""

_USELESS = (RejectedError, BadRequestError, AuthenticationError, NotFoundError, DomainError)
"""What `ciclo.provider.retries` fails at once; a test holds the two against each other."""


def next_try(error: Exception, tried: int, now: datetime) -> datetime | None:
    """Return when a step that failed for the `tried`-th time is tried again; None if it is not."""
    if tried > RETRIES:
        return None
    if isinstance(error, StillInDoubtError) and error.ready_at is not None:
        return max(error.ready_at, now) + MARGIN
    named = next((rule.next for rule in RULES if isinstance(error, rule.exception)), None)
    if named is Next.FAIL or (named is None and isinstance(error, _USELESS)):
        return None
    return now + min(FIRST_DELAY * (1 << (tried - 1)), LONGEST_DELAY)


SYNC_CONTRACTS = Stage(
    "sync_contracts",
    (Schedule(time(4, 30), Window.MONTH),),
    Window.MONTH,
    (
        Step("read_contracts", contracts.read_contracts, DryRun.DISCARD),
        Step("sync", contracts.sync, DryRun.DISCARD, sharded=True),
        Step("report", contracts.record_synced),
        Step("look_for_drift", contracts.look_for_drift, DryRun.DISCARD, rehearsed=False),
    ),
)

EXPAND_INVOICE_RULES = Stage(
    "expand_invoice_rules",
    (Schedule(time(5), Window.MONTH, day_of_month=1),),
    Window.MONTH,
    (
        Step("read_contracts", contracts.read_contracts, DryRun.DISCARD),
        Step("expand", contracts.expand, DryRun.DISCARD, sharded=True),
        Step("report", contracts.record_expanded),
    ),
)

APPLY_PRICE_UPDATES = Stage(
    "apply_price_updates",
    (Schedule(time(5, 30), Window.DAY),),
    Window.DAY,
    (
        Step("prepare", prices.prepare_updates, DryRun.DISCARD),
        Step("remind", prices.remind_of_updates),
        Approval("approve", "prepare", lambda batch: bool(batch["execution_ids"]), prices.answer_updates, stops=False),
        Step("apply", prices.apply_updates, sharded=True),
        Step("finish", prices.finish_updates, DryRun.DISCARD),
        Step("write", prices.send_letters),
    ),
    params=(*COMMON_PARAMS, "require_approval"),
)

ISSUE_INVOICES = Stage(
    "issue_invoices",
    (Schedule(time(6), Window.CATCH_UP),),
    Window.CATCH_UP,
    (
        Step("prepare", issuing.prepare_invoices, DryRun.DISCARD),
        Step("issue", issuing.issue, sharded=True),
        Step("finish", issuing.finish_invoices, DryRun.DISCARD),
    ),
)

SYNC_PRICE_INDICES = Stage(
    "sync_price_indices",
    (Schedule(time(7), Window.DAY),),
    Window.DAY,
    (
        LedgerStep("load_shipped", prices.load_shipped_indices, DryRun.DISCARD),
        *(
            LedgerStep(f"sync_{index.value}", partial(prices.sync_price_index, index), DryRun.DISCARD)
            for index in PriceIndex
        ),
    ),
    params=("dry_run",),
)

RECONCILE_RECEIVABLES = Stage(
    "reconcile_receivables",
    (Schedule(time(8), Window.DAY),),
    Window.DAY,
    (
        Step("instruct", reconciliation.carry_out_instructions),
        Step("reconcile", reconciliation.reconcile_receivables, DryRun.DISCARD),
        Step("age", reconciliation.age_receivables, DryRun.DISCARD),
    ),
)

CLOSE_BILLING_MONTH = Stage(
    "close_billing_month",
    (Schedule(time(9), Window.LAST_MONTH, day_of_month=CLOSING_DAY), Schedule(time(9, 30), Window.RUNNING_MONTH)),
    Window.LAST_MONTH,
    (
        Step("read_rules", closing.read_rules, DryRun.DISCARD),
        Step("close", closing.close_months, DryRun.DISCARD),
    ),
)

BILL_RANGE = Stage(
    "bill_range",
    (),
    Window.MONTH,
    (
        Step("read_contracts", contracts.read_contracts, DryRun.DISCARD),
        Step("expand", contracts.expand_range, sharded=True),
        Step("update_prices", prices.update_prices_of_range, DryRun.DISCARD, sharded=True),
        Step("prepare", issuing.prepare_range),
        Step("plan", issuing.plan_range, DryRun.DISCARD),
        Approval("approve", "plan", lambda plan: bool(plan["ask"]), issuing.answer_plan, stops=True),
        Step("apply", issuing.apply_range),
        Step("issue", issuing.issue_plan, sharded=True),
        Step("finish", issuing.finish_range),
    ),
    params=(*COMMON_PARAMS, "policy", "max_invoices", "max_total"),
)

CREATE_INVOICE_RULE = Stage(
    "create_invoice_rule",
    (),
    Window.MONTH,
    (Step("create", contracts.create_rule), Step("read_and_expand", contracts.read_and_expand)),
    params=(*contracts.RULE_PARAMS, "billimatic_conn_id"),
)

AUDIT_ACCOUNT = Stage(
    "audit_account",
    (),
    Window.LAST_YEAR,
    (ReadingStep("audit", audit.audit),),
    params=("from_date", "to_date", "billimatic_conn_id"),
)

IMPORT_ADJUSTMENTS = Stage(
    "import_adjustments",
    (),
    Window.DAY,
    (Step("load", adjustments.import_file, DryRun.DISCARD), Step("correct", adjustments.correct)),
    params=("path", "storage_conn_id", "dry_run", "billimatic_conn_id"),
)

STAGES = {
    stage.dag_id: stage
    for stage in (
        SYNC_CONTRACTS,
        EXPAND_INVOICE_RULES,
        APPLY_PRICE_UPDATES,
        ISSUE_INVOICES,
        SYNC_PRICE_INDICES,
        RECONCILE_RECEIVABLES,
        CLOSE_BILLING_MONTH,
        BILL_RANGE,
        CREATE_INVOICE_RULE,
        AUDIT_ACCOUNT,
        IMPORT_ADJUSTMENTS,
    )
}
"""Every Dag of the table by its id."""

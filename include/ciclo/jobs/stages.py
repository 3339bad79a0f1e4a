"""The table of Dags: when each runs and what it does, step by step. The Dags' tasks and a rehearsal both run from it.

The stages stand in the order of a day. What a step does is in `ciclo.jobs.steps`.
"""

from datetime import time
from functools import partial

from ciclo.domain.price_index import PriceIndex
from ciclo.jobs import steps
from ciclo.jobs.runs import COMMON_PARAMS, Approval, DryRun, LedgerStep, Schedule, Stage, Step, Window

SYNC_CONTRACTS = Stage(
    "sync_contracts",
    (Schedule(time(4, 30), Window.MONTH),),
    Window.MONTH,
    (
        Step("read_contracts", steps.read_contracts, DryRun.DISCARD),
        Step("sync", steps.sync, DryRun.DISCARD, sharded=True),
        Step("report", steps.record_synced),
        Step("look_for_drift", steps.look_for_drift, DryRun.DISCARD, rehearsed=False),
    ),
)

EXPAND_INVOICE_RULES = Stage(
    "expand_invoice_rules",
    (Schedule(time(5), Window.MONTH, day_of_month=1),),
    Window.MONTH,
    (
        Step("read_contracts", steps.read_contracts, DryRun.DISCARD),
        Step("expand", steps.expand, DryRun.DISCARD, sharded=True),
        Step("report", steps.record_expanded),
    ),
)

APPLY_PRICE_UPDATES = Stage(
    "apply_price_updates",
    (Schedule(time(5, 30), Window.DAY),),
    Window.DAY,
    (
        Step("prepare", steps.prepare_updates, DryRun.DISCARD),
        Step("remind", steps.remind_of_updates),
        Approval("approve", "prepare", lambda batch: bool(batch["execution_ids"]), steps.answer_updates, stops=False),
        Step("apply", steps.apply_updates, sharded=True),
        Step("finish", steps.finish_updates, DryRun.DISCARD),
    ),
    params=(*COMMON_PARAMS, "require_approval"),
)

ISSUE_INVOICES = Stage(
    "issue_invoices",
    (Schedule(time(6), Window.CATCH_UP),),
    Window.CATCH_UP,
    (
        Step("prepare", steps.prepare_invoices, DryRun.DISCARD),
        Step("issue", steps.issue, sharded=True),
        Step("finish", steps.finish_invoices, DryRun.DISCARD),
    ),
)

SYNC_PRICE_INDICES = Stage(
    "sync_price_indices",
    (Schedule(time(7), Window.DAY),),
    Window.DAY,
    (
        LedgerStep("load_shipped", steps.load_shipped_indices, DryRun.DISCARD),
        *(
            LedgerStep(f"sync_{index.value}", partial(steps.sync_price_index, index), DryRun.DISCARD)
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
        Step("reconcile", steps.reconcile_receivables, DryRun.DISCARD),
        Step("age", steps.age_receivables, DryRun.DISCARD),
    ),
)

CLOSE_BILLING_MONTH = Stage(
    "close_billing_month",
    (Schedule(time(9), Window.LAST_MONTH, day_of_month=2), Schedule(time(9, 30), Window.RUNNING_MONTH)),
    Window.LAST_MONTH,
    (
        Step("read_rules", steps.read_rules, DryRun.DISCARD),
        Step("close", steps.close_months, DryRun.DISCARD),
    ),
)

BILL_RANGE = Stage(
    "bill_range",
    (),
    Window.MONTH,
    (
        Step("read_contracts", steps.read_contracts, DryRun.DISCARD),
        Step("expand", steps.expand_range, sharded=True),
        Step("update_prices", steps.update_prices_of_range, DryRun.DISCARD, sharded=True),
        Step("prepare", steps.prepare_range),
        Step("plan", steps.plan_range, DryRun.DISCARD),
        Approval("approve", "plan", lambda plan: bool(plan["ask"]), steps.answer_plan, stops=True),
        Step("apply", steps.apply_range),
        Step("issue", steps.issue_plan, sharded=True),
        Step("finish", steps.finish_range),
    ),
    params=(*COMMON_PARAMS, "policy", "max_invoices", "max_total"),
)

CREATE_INVOICE_RULE = Stage(
    "create_invoice_rule",
    (),
    Window.MONTH,
    (Step("create", steps.create_rule), Step("read_and_expand", steps.read_and_expand)),
    params=(*steps.RULE_PARAMS, "billimatic_conn_id"),
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
    )
}
"""Every Dag of the table by its id."""

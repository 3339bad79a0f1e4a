"""What a person may do to the ledger, a file a noun. Console, CLI and rehearsals call these; the caller commits.

Every action locks its row, checks the change, and adds an audit entry with the person's name and note in the same
transaction. Clicking twice is harmless: the second answer says who was first.
"""

from ciclo.ledger.actions.act import (
    Action,
    ActionOutcome,
    NoSuchRow,
    NotPossible,
    UnusableNote,
    only_organization,
    usable_note,
)
from ciclo.ledger.actions.adjustment_checks import PARTICULARS, AdjustmentError, NewAdjustment
from ciclo.ledger.actions.adjustments import AdjustmentsRefused, add_adjustments, skip_periods, withdraw_adjustment
from ciclo.ledger.actions.contract_terms import agree_term, end_term, set_rule
from ciclo.ledger.actions.differences import bill_complement, bill_difference, difference, final_invoice
from ciclo.ledger.actions.findings import acknowledge_finding, open_finding_again
from ciclo.ledger.actions.instructions import Receipt, instruct, withdraw_instruction
from ciclo.ledger.actions.matters import EXECUTION_ACTIONS, FINDING_ACTIONS, PERIOD_ACTIONS, Matter, act_on
from ciclo.ledger.actions.periods import (
    bill_again,
    cancel_period,
    its_own,
    look_again,
    not_its_own,
    organization_of_period,
    plan_again,
    release_period,
    settle_now,
)
from ciclo.ledger.actions.price_updates import (
    NoSuchFigure,
    apply_update,
    bill_late,
    late_readjustment,
    leave_late,
    skip_update,
    undo_skip,
)
from ciclo.ledger.actions.prorating import part_months, proposal, prorate_always, prorate_period, set_policy

__all__ = [
    "EXECUTION_ACTIONS",
    "FINDING_ACTIONS",
    "PARTICULARS",
    "PERIOD_ACTIONS",
    "Action",
    "ActionOutcome",
    "AdjustmentError",
    "AdjustmentsRefused",
    "Matter",
    "NewAdjustment",
    "NoSuchFigure",
    "NoSuchRow",
    "NotPossible",
    "Receipt",
    "UnusableNote",
    "acknowledge_finding",
    "act_on",
    "add_adjustments",
    "agree_term",
    "apply_update",
    "bill_again",
    "bill_complement",
    "bill_difference",
    "bill_late",
    "cancel_period",
    "difference",
    "end_term",
    "final_invoice",
    "instruct",
    "its_own",
    "late_readjustment",
    "leave_late",
    "look_again",
    "not_its_own",
    "only_organization",
    "open_finding_again",
    "organization_of_period",
    "part_months",
    "plan_again",
    "proposal",
    "prorate_always",
    "prorate_period",
    "release_period",
    "set_policy",
    "set_rule",
    "settle_now",
    "skip_periods",
    "skip_update",
    "undo_skip",
    "usable_note",
    "withdraw_adjustment",
    "withdraw_instruction",
]

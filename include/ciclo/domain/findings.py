"""The kinds of disagreement between what should be billed and what is at the vendor, and what each means for a month.

The one rule: a finding is opened by what is seen and closed by what is seen. A person may acknowledge one; that says
who knows of it and why it may stay, it does not make it go away.
"""

from enum import StrEnum

from ciclo.domain.receivables import ReceivableState


class FindingKind(StrEnum):
    """A disagreement with a name. The comment says what makes it close by itself."""

    AMOUNT_DIFFERS = "amount_differs"  # invoice or receivable is at the price in force again
    DUE_DATE_CHANGED = "due_date_changed"  # the due date is the rule's again, or the money is in, or it is cancelled
    DELETED_REMOTELY = "deleted_remotely"  # the invoice is back, or another one stands in for it
    DUPLICATED_REMOTELY = "duplicated_remotely"  # one of the two is cancelled or deleted
    UNKNOWN_INVOICE = "unknown_invoice"  # it is cancelled, deleted, or a period takes it over
    ISSUE_DATE_CHANGED = "issue_date_changed"  # it has the period's issue date again
    UNDER_PAID = "under_paid"  # the receipt is corrected or undone
    OVER_PAID = "over_paid"  # the same
    PAID_LATE = "paid_late"  # the receipt is corrected or undone, or `LATE_PAYMENT_SHOWN` days have passed
    FINANCE_SYSTEM_ERROR = "finance_system_error"  # the error is gone, the money is in, or it is cancelled
    ILLEGAL_TRANSITION = "illegal_transition"  # the state is one that can be explained, or a person accepted it
    CHANGED_AFTER_CLOSE = "changed_after_close"  # it is as it was closed, or its month is closed anew
    NOT_BILLED = "not_billed"  # never: a person decides about it


LATE_PAYMENT_SHOWN = 30
"""Days after receipt for which a late payment is shown: nothing cures it, and after a month nobody acts on it."""

STOPS_ALWAYS = frozenset({FindingKind.DELETED_REMOTELY, FindingKind.DUPLICATED_REMOTELY})
"""A month with one of these open is not closed, whoever knows of it: missing and duplicate must be zero."""

STOPS_UNTIL_ACKNOWLEDGED = frozenset(
    {
        FindingKind.AMOUNT_DIFFERS,
        FindingKind.UNKNOWN_INVOICE,
        FindingKind.ILLEGAL_TRANSITION,
        FindingKind.NOT_BILLED,
        FindingKind.CHANGED_AFTER_CLOSE,
    }
)
"""A month with one of these open is closed only with a person's name and reason beside it."""

AT_REST = frozenset({ReceivableState.RECEIVED, ReceivableState.CANCELLED})
"""States of an invoice or receivable in which nothing more is expected to happen."""


def stops_closing(kind: FindingKind, *, acknowledged: bool) -> bool:
    """Whether an open finding keeps its month from being closed."""
    return kind in STOPS_ALWAYS or (kind in STOPS_UNTIL_ACKNOWLEDGED and not acknowledged)

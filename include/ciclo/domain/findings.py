"""The kinds of disagreement between what should be billed and what is at the vendor, and what each means for a month.

A finding is opened by what is seen and closed by what is seen. A person may acknowledge one; that says
who knows of it and why it may stay, it does not make it go away.
"""

from enum import StrEnum

from ciclo.domain.receivables import ReceivableState


class FindingKind(StrEnum):
    """A disagreement with a name. The comment says what makes it close by itself."""

    # rules against what is billed
    GAP = "gap"  # a period covers the stretch, or a person says that it is not billed
    BACKDATED = "backdated"  # the period has its invoice
    TERMS_CHANGED = "terms_changed"  # the invoice is as the terms say, or they are as before
    PAUSED = "paused"  # never: it is listed by the close of its month
    UNREAD = "unread"  # the contract is read again
    OVERDUE = "overdue"  # the period has its invoice, or is given up

    # periods against invoices
    REMOVED_AT_VENDOR = "removed_at_vendor"  # the period has an invoice, or is given up
    TO_BE_DELETED = "to_be_deleted"  # it is deleted or cancelled, or its rule calls for it again
    DELETED_REMOTELY = "deleted_remotely"  # the invoice is back, or another one stands in for it
    CANCELLED_REMOTELY = "cancelled_remotely"  # the cancellation is undone, or the period is billed again
    DUPLICATED_REMOTELY = "duplicated_remotely"  # one of the two is cancelled or deleted
    UNEXPLAINED = "unexplained"  # it is cancelled, deleted, or a period takes it over
    AMOUNT_DIFFERS = "amount_differs"  # invoice or receivable is at the price in force again
    CUSTOMER_DIFFERS = "customer_differs"  # the invoice is for the contract's customer again
    VALUE_EDITED = "value_edited"  # the invoice has the value of its rule again
    ADJUSTMENT_LEFT_OUT = "adjustment_left_out"  # the invoice has it, or it is withdrawn
    ADJUSTMENT_UNBILLED = "adjustment_unbilled"  # a period that it is for is there, or it is withdrawn
    DIFFERENCE_REFUSED = "difference_refused"  # its rule is at the vendor, or it is withdrawn
    DIFFERENCE_GIVEN_UP = "difference_given_up"  # it has its invoice, or it is withdrawn
    DESCRIPTION_DIFFERS = "description_differs"  # the invoice has the description of its rule again
    DATE_MOVED = "date_moved"  # it has the period's issue date again
    ACCRUAL_DIFFERS = "accrual_differs"  # it has the period's competence again
    SPLIT = "split"  # it has as many receivables as its rule says
    DUE_DATE_CHANGED = "due_date_changed"  # the due date is the rule's again, or the money is in, or it is cancelled
    VENDOR_FACTOR_DIFFERS = "vendor_factor_differs"  # never: a person decides about the difference
    READJUSTED_LATE = "readjusted_late"  # never: a person decides whether the difference is billed
    NOT_BILLED = "not_billed"  # the period is planned again, or other periods pay for all of its time
    CHANGED_AFTER_CLOSE = "changed_after_close"  # it is as it was closed, or its month is closed anew

    # tax documents
    NFSE_MISSING = "nfse_missing"  # it is issued, or none is wanted any more, or the invoice is cancelled
    NFSE_REFUSED = "nfse_refused"  # the same
    NFSE_CANCELLED = "nfse_cancelled"  # the same

    # money
    UNDER_PAID = "under_paid"  # the receipt is corrected or undone
    OVER_PAID = "over_paid"  # the same
    PAID_LATE = "paid_late"  # the receipt is corrected or undone, or `LATE_PAYMENT_SHOWN` days have passed
    FINANCE_SYSTEM_ERROR = "finance_system_error"  # the error is gone, the money is in, or it is cancelled
    INSTRUCTION_REFUSED = "instruction_refused"  # it is as it was to be, or something else was asked for about it
    ILLEGAL_TRANSITION = "illegal_transition"  # the state is one that can be explained, or a person accepted it


LATE_PAYMENT_SHOWN = 30
"""Days after receipt for which a late payment is shown: nothing cures it, and after a month nobody acts on it."""

STOPS_CLOSING = frozenset(
    {
        FindingKind.GAP,
        FindingKind.BACKDATED,
        FindingKind.TERMS_CHANGED,
        FindingKind.UNREAD,
        FindingKind.REMOVED_AT_VENDOR,
        FindingKind.TO_BE_DELETED,
        FindingKind.DELETED_REMOTELY,
        FindingKind.CANCELLED_REMOTELY,
        FindingKind.DUPLICATED_REMOTELY,
        FindingKind.AMOUNT_DIFFERS,
        FindingKind.CUSTOMER_DIFFERS,
        FindingKind.VALUE_EDITED,
        FindingKind.ADJUSTMENT_LEFT_OUT,
        FindingKind.ADJUSTMENT_UNBILLED,
        FindingKind.DIFFERENCE_REFUSED,
        FindingKind.DIFFERENCE_GIVEN_UP,
        FindingKind.UNEXPLAINED,
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
    return kind in STOPS_CLOSING and not acknowledged


# -- of an audit, which knows no ledger --------------------------------------------------------------------------------


class AuditKind(StrEnum):
    """What is wrong in an account, one fault each. The comment says what its amount is."""

    MISSING = "missing"  # the price in force on the planned date
    DUPLICATE = "duplicate"  # the invoice that is one too many
    UNEXPLAINED = "unexplained"  # the invoice
    AMOUNT = "amount"  # the difference between invoice and price in force
    CUSTOMER = "customer"  # the invoice
    READJUSTMENT_MISSING = "readjustment_missing"  # what was lost from the execution to the last full month
    READJUSTMENT_LATE = "readjustment_late"  # the same
    READJUSTMENT_FACTOR = "readjustment_factor"  # the same
    READJUSTMENT_TWICE = "readjustment_twice"  # the same
    RULE_ENDS = "rule_ends"  # revenue per month that stops
    GAP = "gap"  # price per month x months skipped
    NFSE_MISSING = "nfse_missing"  # the invoice
    NFSE_REFUSED = "nfse_refused"  # the invoice
    RECEIVABLE_ERROR = "receivable_error"  # the receivable
    LATE = "late"  # the receivables more than 30 days past due
    LAW_10192 = "law_10192"  # none
    UNREAD = "unread"  # none


class Normality(StrEnum):
    """What people do to invoices that is in order."""

    DESCRIPTION_CHANGED = "description_changed"
    MOVED = "moved"
    BILLED_LATE = "billed_late"
    SPLIT = "split"
    USAGE = "usage"
    MADE_ANEW = "made_anew"
    PRICE_AGREED = "price_agreed"
    ONE_OFF = "one_off"
    FORMER_TERMS = "former_terms"


class Unjudged(StrEnum):
    """Why something could not be judged."""

    NO_HISTORY = "no_history"
    INDEX_NOT_OUT = "index_not_out"
    INDEX_NOT_FETCHED = "index_not_fetched"
    SERVICE_UNKNOWN = "service_unknown"
    CONTRACT_INACTIVE = "contract_inactive"
    INVOICE_UNREAD = "invoice_unread"
    INVOICES_PARTLY_READ = "invoices_partly_read"
    NFSE_UNREAD = "nfse_unread"

"""The words of findings: a sentence a kind, and the headings that are not just a kind's name.

How a sentence is written, `{amount:brl}` say, is told in `ciclo.domain.wording.sentences`.
"""

from collections.abc import Mapping

from ciclo.domain.findings import FindingKind
from ciclo.domain.states import ReasonKind
from ciclo.locale import N_

_F = FindingKind

FINDINGS: Mapping[FindingKind, str] = {
    _F.GAP: N_(
        "nobody bills {covered}{amount:worth}; bill_range for the day bills what a rule calls for, "
        "acknowledge what is not to be billed"
    ),
    _F.BACKDATED: N_(
        "{amount:brl} was due before it was first seen on {first_seen}, and nobody has billed it; "
        "bill_range for its day bills it, or acknowledge that it is not billed"
    ),
    _F.TERMS_CHANGED: N_(
        "its terms changed between {last_seen} and {first_seen}: {was} became {now}; correct its invoice at the "
        "vendor, or acknowledge that it stays as it was billed"
    ),
    _F.PAUSED: N_("not billed from {from_date} to {to_date}: the contract was inactive"),
    _F.UNREAD: N_("it cannot be read: {error}"),
    _F.OVERDUE: N_("planned and not issued; it is older than runs catch up: bill_range bills it"),
    _F.REMOVED_AT_VENDOR: N_("the vendor had generated its invoice and somebody removed it"),
    _F.TO_BE_DELETED: N_(
        "invoice {invoice_id} of {amount:brl} was made ahead and nothing calls for it any more; delete it at the "
        "vendor before its day, or acknowledge that it is issued"
    ),
    _F.CANCELLED_REMOTELY: N_(
        "invoice {invoice_id} of {amount:brl} is cancelled at the vendor; bill the period again, or acknowledge that "
        "it is not billed"
    ),
    _F.DUPLICATED_REMOTELY: N_(
        "invoice {invoice_id} of {amount:brl} is one too many beside {expected}; cancel one of them at the vendor"
    ),
    _F.UNEXPLAINED: N_(
        "invoice {invoice_id} of {planned_date}, {amount:brl} ({description}): no period expects it; cancel it, or "
        "acknowledge it"
    ),
    _F.CUSTOMER_DIFFERS: N_("invoice {invoice_id} is for customer {found}, the contract's is {expected}"),
    _F.VALUE_EDITED: N_("invoice {invoice_id} is {found:brl}, its rule says {expected:brl}"),
    _F.DATE_MOVED: N_("invoice {invoice_id} is issued on {found}, its rule says {expected}"),
    _F.ACCRUAL_DIFFERS: N_("invoice {invoice_id} is of competence {found:month}, its period of {expected:month}"),
    _F.SPLIT: N_("invoice {invoice_id} has {found} receivables, its rule says {expected}"),
    _F.DESCRIPTION_DIFFERS: N_("invoice {invoice_id} has another description than its rule"),
    _F.ADJUSTMENT_LEFT_OUT: N_(
        "invoice {invoice_id} lacks adjustments {adjustment_ids:list}: it is {found:brl}, with them {expected:brl}; "
        "{why}. Correct it at the vendor, or withdraw them and add a line to the next period"
    ),
    _F.ADJUSTMENT_UNBILLED: N_(
        "adjustment {adjustment_id} is in no invoice from {issue_date} on, and its rule has no period left that could "
        "have it; withdraw it, from that day on where earlier invoices have it, and add it where it is still due"
    ),
    _F.DIFFERENCE_REFUSED: N_(
        "invoice {invoice_id} lacks {amount:brl}, and the vendor refuses the rule that would bill it by itself: "
        "{error}. The next run asks again; to bill it otherwise, withdraw adjustment {adjustment_id}"
    ),
    _F.DIFFERENCE_GIVEN_UP: N_(
        "invoice {invoice_id} lacks {amount:brl}, and rule {rule_id}, which was to bill it by itself, was deleted or "
        "its period given up: plan that again, or delete the rule at the vendor and withdraw adjustment {adjustment_id}"
    ),
    _F.AMOUNT_DIFFERS: N_("invoice {invoice_id}: what its receivables come to is {found:brl}, not {expected:brl}"),
    _F.DUE_DATE_CHANGED: N_(
        "invoice {invoice_id}, receivable {receivable_id}: due on {found}, by its rule on {expected}"
    ),
    _F.UNDER_PAID: N_("invoice {invoice_id}, receivable {receivable_id}: {found:brl} of {expected:brl} was paid"),
    _F.OVER_PAID: N_("invoice {invoice_id}, receivable {receivable_id}: {found:brl} was paid, {expected:brl} was due"),
    _F.PAID_LATE: N_("invoice {invoice_id}, receivable {receivable_id}: due on {expected}, paid on {found}"),
    _F.FINANCE_SYSTEM_ERROR: N_(
        "invoice {invoice_id}, receivable {receivable_id}: the finance system refused it, the money will not come "
        "until somebody acts: {found}"
    ),
    _F.DELETED_REMOTELY: N_(
        "invoice {invoice_id} of {amount:brl} was {state:state} and is no longer at the vendor; make it there again, "
        "or acknowledge that it is not billed"
    ),
    _F.INSTRUCTION_REFUSED: N_(
        "invoice {invoice_id}{receivable_id:receivable}: not carried out what {person} asked for "
        "({instruction:instruction}): {why}"
    ),
    _F.ILLEGAL_TRANSITION: N_(
        "invoice {invoice_id}{receivable_id:receivable}: it was {was:state} and is {found:state} at the vendor; "
        "nothing legal leads from one to the other. Acknowledge it to let the ledger follow"
    ),
    _F.CHANGED_AFTER_CLOSE: N_(
        "{month:month} was closed with {closed_at:brl} in invoice {replaced:list}, which is cancelled and billed again "
        "as invoice {invoice_id} of {amount:brl}; acknowledge it and close the month again"
    ),
    _F.READJUSTED_LATE: N_(
        "applied when {invoice_ids:list} were issued at the old price already: {amount:brl} is the difference; bill it "
        "with the next invoice or leave it, on the update's page"
    ),
    _F.NFSE_MISSING: N_(
        "invoice {invoice_id} of {amount:brl} has no NFS-e, which was due on {due_date}; issue it at the vendor, or "
        "acknowledge that it has none"
    ),
    _F.NFSE_REFUSED: N_(
        "the NFS-e of invoice {invoice_id} of {amount:brl} was refused: {error}; correct it at the vendor and issue it "
        "again"
    ),
    _F.NFSE_CANCELLED: N_(
        "the NFS-e of invoice {invoice_id} of {amount:brl} is cancelled and the invoice is not; issue another one, or "
        "cancel the invoice at the vendor"
    ),
    _F.VENDOR_FACTOR_DIFFERS: N_(
        "the vendor readjusted to {found:amounts}, by the index it is {expected:amounts}; the vendor's price counts"
    ),
}

HEADINGS: Mapping[str, str] = {
    ReasonKind.SAID: "Other reasons",
    _F.NFSE_MISSING: "NFS-e missing",
    _F.NFSE_REFUSED: "NFS-e refused",
    _F.NFSE_CANCELLED: "NFS-e cancelled",
}
"""Kinds whose heading is not just their name."""

CHANGED_SINCE_CLOSED = N_(
    "invoice {invoice_id}: {month:month} was closed with it {was:side}, now it is {found:side}; undo it at the vendor, "
    "or acknowledge it and close the month again"
)
"""What is said of an invoice that nothing replaces."""
VENDOR_FACTOR_UNKNOWN = N_(
    "the vendor readjusted to {found:amounts}; by the index it could not be computed. The vendor's price counts"
)
"""What is said of the vendor's own readjustment where ours could not be computed."""

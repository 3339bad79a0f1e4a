"""What an audit says, in words: its findings, and by which means a price was judged."""

from collections.abc import Mapping

from ciclo.domain.findings import AuditKind, Normality, Unjudged
from ciclo.domain.states import Fact
from ciclo.domain.wording.sentences import WORDS
from ciclo.locale import N_, _

_A, _N, _U = AuditKind, Normality, Unjudged

AUDIT: Mapping[AuditKind | Normality | Unjudged, str] = {
    _A.MISSING: N_("the period of {planned_date} has no invoice; the price in force that day is {amount:brl}"),
    _A.DUPLICATE: N_("invoice {invoice_id} of {planned_date}, {amount:brl}, is one too many beside invoice {own_id}"),
    _A.UNEXPLAINED: N_("no rule explains invoice {invoice_ids:list} of {planned_date}, {amount:brl}: {description}"),
    _A.AMOUNT: N_("invoice {invoice_ids:list} is {found:brl}; at the price in force it is {expected:brl}"),
    _A.CUSTOMER: N_("invoice {invoice_ids:list} of {amount:brl} is for {found}; its rule bills {expected}"),
    _A.READJUSTMENT_MISSING: N_(
        "the readjustment of {planned_date} by {index} ({percent}, {months:list}) was never made: "
        "{expected:brl} instead of {found:brl}; {lost_so_far:brl} so far and {per_month:brl} a month"
    ),
    _A.READJUSTMENT_LATE: N_(
        "the readjustment of {planned_date} by {index} ({percent}, {months:list}) was made on "
        "{caught_up} only: {expected:brl} instead of {found:brl} until then, {lost_so_far:brl} lost"
    ),
    _A.READJUSTMENT_FACTOR: N_(
        "the readjustment of {planned_date} was made with another factor than {index} gives ({percent}, "
        "{months:list}): {found:brl} instead of {expected:brl}; {lost_so_far:brl} so far and {per_month:brl} a month"
    ),
    _A.READJUSTMENT_TWICE: N_(
        "the readjustment of {planned_date} by {index} ({percent}, {months:list}) was made twice: "
        "{found:brl} instead of {expected:brl}; {lost_so_far:brl} so far and {per_month:brl} a month"
    ),
    _A.RULE_ENDS: N_("{amount:brl} a month stops: the rule ends on {planned_date}"),
    _A.GAP: N_(
        "nobody bills {from_date} to {to_date}, between rule {former_rule_id} and the one that follows it: {amount:brl}"
    ),
    _A.NFSE_MISSING: N_("invoice {invoice_ids:list} of {amount:brl} has no NFS-e, which was due on {due_date}"),
    _A.NFSE_REFUSED: N_("the NFS-e of invoice {invoice_ids:list}, {amount:brl}, was refused: {error}"),
    _A.RECEIVABLE_ERROR: N_(
        "receivable {receivable_id} of invoice {invoice_ids:list}, {amount:brl}, will not be paid until somebody acts: "
        "{error}"
    ),
    _A.LATE: N_("{amount:brl} of invoice {invoice_ids:list} is unpaid since {due_date}, {days} days"),
    _A.LAW_10192: N_(
        "readjusted by {index} every {months} months: Law 10.192/2001, art. 2, § 1 voids a periodicity under one year"
    ),
    _A.UNREAD: N_("{resource} cannot be read: {error}"),
    _N.DESCRIPTION_CHANGED: N_("invoice {invoice_ids:list}: the description was added to, or changed"),
    _N.MOVED: N_("invoice {invoice_ids:list} was moved from {was} to {day}"),
    _N.BILLED_LATE: N_("invoice {invoice_ids:list} of {day} was billed on {billed_on}"),
    _N.SPLIT: N_("invoice {invoice_ids:list} was split into {parts} receivables"),
    _N.USAGE: N_("invoice {invoice_ids:list}: lines or quantities were added that total up"),
    _N.MADE_ANEW: N_("invoice {invoice_ids:list} was made anew in place of {cancelled_id}, which is cancelled"),
    _N.PRICE_AGREED: N_("the price was changed by hand from {old:brl} to {new:brl}, from {day} on"),
    _N.ONE_OFF: N_("invoice {invoice_ids:list} is billed by hand, by a rule that does not recur"),
    _N.FORMER_TERMS: N_("invoice {invoice_ids:list} of {day} is of its rule's time before its present first day"),
    _U.NO_HISTORY: N_("the readjustment of {day} by {index}: no invoice since {since} tells what it started from"),
    _U.INDEX_NOT_OUT: N_("the readjustment of {day} by {index}: a month of the index is not out"),
    _U.INDEX_NOT_FETCHED: N_("the months of the indices that do not ship could not be fetched: {error}"),
    _U.SERVICE_UNKNOWN: N_("a readjustment is of service item {service_item_id}, which is none of the rule's services"),
    _U.CONTRACT_INACTIVE: N_("the contract is inactive, and nothing tells since when: not judged from {day} on"),
    _U.INVOICE_UNREAD: N_("the period of {day}: an invoice that cannot be read may be its own"),
    _U.INVOICES_PARTLY_READ: N_(
        "invoices from {from_date} to {to_date} could be read contract by contract only ({error}): those of a contract "
        "that is not active and has no other invoice are not among them"
    ),
    _U.NFSE_UNREAD: N_("tax documents could not be searched: {error}"),
}

AUDIT_KINDS: Mapping[AuditKind | Normality | Unjudged, str] = {
    _A.MISSING: N_("Periods without an invoice"),
    _A.DUPLICATE: N_("Invoices that are one too many"),
    _A.UNEXPLAINED: N_("Invoices that no rule explains"),
    _A.AMOUNT: N_("Wrong amounts"),
    _A.CUSTOMER: N_("Wrong customers"),
    _A.READJUSTMENT_MISSING: N_("Readjustments never made"),
    _A.READJUSTMENT_LATE: N_("Readjustments made late"),
    _A.READJUSTMENT_FACTOR: N_("Readjustments with another factor"),
    _A.READJUSTMENT_TWICE: N_("Readjustments made twice"),
    _A.RULE_ENDS: N_("Rules about to run out"),
    _A.GAP: N_("Gaps between rules"),
    _A.NFSE_MISSING: N_("NFS-e missing"),
    _A.NFSE_REFUSED: N_("NFS-e refused"),
    _A.RECEIVABLE_ERROR: N_("Receivables in error"),
    _A.LATE: N_("Receivables more than 30 days late"),
    _A.LAW_10192: N_("Readjustments against Law 10.192"),
    _A.UNREAD: N_("Records that cannot be read"),
    _N.DESCRIPTION_CHANGED: N_("Descriptions changed"),
    _N.MOVED: N_("Moved to another day"),
    _N.BILLED_LATE: N_("Billed later than planned"),
    _N.SPLIT: N_("Split into several receivables"),
    _N.USAGE: N_("Usage added"),
    _N.MADE_ANEW: N_("Cancelled and made anew"),
    _N.PRICE_AGREED: N_("Prices changed by hand"),
    _N.ONE_OFF: N_("Billed by hand"),
    _N.FORMER_TERMS: N_("By terms of before"),
}
"""What a kind is called in a heading."""

AUDIT_METHODS: Mapping[AuditKind, str] = {
    _A.MISSING: N_("the price in force on the planned date; an invoice that is cancelled counts as none"),
    _A.DUPLICATE: N_("the surplus invoice, not both"),
    _A.UNEXPLAINED: N_("the invoice's gross value"),
    _A.AMOUNT: N_(
        "the difference between the invoice and the price in force; lines that people added are no difference"
    ),
    _A.CUSTOMER: N_("the invoice's gross value"),
    _A.READJUSTMENT_MISSING: N_(
        "over the invoices from the execution date to the last full month, what they should be less what they were; "
        "the price before is taken from the invoices, the index from the months published by the execution date"
    ),
    _A.READJUSTMENT_LATE: N_("the same, of the invoices before it was made"),
    _A.READJUSTMENT_FACTOR: N_("the same; a negative figure was overcharged"),
    _A.READJUSTMENT_TWICE: N_("the same; a negative figure was overcharged"),
    _A.RULE_ENDS: N_("the revenue per month that stops within 90 days"),
    _A.GAP: N_("the price per month times the months skipped"),
    _A.NFSE_MISSING: N_("the invoice's gross value"),
    _A.NFSE_REFUSED: N_("the invoice's gross value"),
    _A.RECEIVABLE_ERROR: N_("the receivable's value"),
    _A.LATE: N_("the value of the receivables more than 30 days past due"),
    _A.LAW_10192: N_("no amount"),
    _A.UNREAD: N_("no amount"),
}
"""How an amount is computed."""


def said_of_audit(kind: AuditKind | Normality | Unjudged, facts: Mapping[str, Fact]) -> str:
    """Put what an audit says into one sentence, in the reader's language."""
    template = _(AUDIT[kind])
    if kind is AuditKind.RULE_ENDS and facts.get("last"):
        template = _(
            "{amount:brl} a month stops: the rule has no end, and no invoice after that of {last} was generated"
        )
        if facts.get("unbilled"):
            template = _(
                "{amount:brl} a month has stopped: the rule has no end, and no invoice after that of {last}; "
                "{unbilled} periods since then come to {lost:brl}"
            )
    if kind is AuditKind.MISSING and facts.get("cancelled"):
        template = _(
            "the period of {planned_date} has only invoice {invoice_ids:list}, which is cancelled; the price in "
            "force that day is {amount:brl}"
        )
    return WORDS.vformat(template, (), facts)

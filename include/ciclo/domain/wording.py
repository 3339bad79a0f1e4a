"""Reasons and findings in words: the one place where a kind with its facts becomes a sentence.

A sentence is a template with the names of facts. `{amount:brl}` writes a decimal string as money, `{month:month}` a
`YYYY-MM` as `MM/YYYY`, `{ids:list}` a list with commas, `{amount:worth}` money in brackets where it is known. Any other
fact that is not there reads `?`: an old row, or one that another version wrote, is shown all the same.
"""

import string
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from ciclo.domain.continuity import Break
from ciclo.domain.findings import FindingKind
from ciclo.domain.money import brl
from ciclo.domain.states import Fact, Reason, ReasonKind

_K, _F = ReasonKind, FindingKind

BREAKS: Mapping[Break, str] = {
    Break.MONTH_USED_TWICE: "a month is in the price already",
    Break.MONTH_SKIPPED: "a month would never be used",
    Break.POLICY_CHANGED: "the months are counted by another policy than before",
    Break.INDEX_CHANGED: "the index is another one than before",
    Break.PRICE_CHANGED_BY_HAND: "a person changed the price within these months",
    Break.YOUNGER_THAN_WINDOW: "the price is younger than these months",
}

_CONTINUITY = (
    "{breaks:breaks}: {old:amounts} becomes {letter:amounts} by {letter_months:list}, "
    "or {continuity:amounts} by {continuity_months:list}; a person decides"
)

REASONS: Mapping[ReasonKind, str] = {
    _K.SAID: "{text}",
    _K.CLAIMED: "claimed by {owner}",
    _K.CREATED: "invoice {invoice_id} created",
    _K.ADOPTED: "invoice {invoice_id} was there already",
    _K.NO_ANSWER: "no answer: {error}",
    _K.NOT_SENT: "not sent: {error}",
    _K.CLAIM_EXPIRED: "claimed by {owner}, which never came back",
    _K.STANDS_IN: "invoice {lost_id} is {lost} at the vendor; invoice {invoice_id} stands in for it",
    _K.NOT_AT_VENDOR: "not at the vendor after the grace period: planned again",
    _K.REFUSED: "the API refused it: {error}",
    _K.LOST_TWICE: "the answer was lost a second time: look at the vendor before it is sent again",
    _K.SEVERAL_MATCHES: "several invoices may be this period's: {invoice_ids:list}",
    _K.ONE_INVOICE_FOR_SEVERAL: "invoice {invoice_ids:list} may be this period's and another one's: {issue_dates:list}",
    _K.MAY_BE_ITS_OWN: "invoice {invoice_ids:list} of {amount:brl} may be its own",
    _K.REMOVED_AT_VENDOR: "the vendor had generated its invoice and somebody removed it",
    _K.COVERED_ALREADY: "{covered} is billed already by invoice {invoice_id} of {billed_on}",
    _K.PRICE_UNKNOWN: "its price is not known: {error}",
    _K.TERMS_UNUSABLE: "its rule cannot be billed by: {error}",
    _K.TOTAL_NOT_POSITIVE: "its total would be {amount:brl}",
    _K.OTHER_CUSTOMER: (
        "its rule bills {rule_customer}, its contract is with {contract_customer}, and the API bills a contract's "
        "customer only: make the invoice at the vendor, then release it"
    ),
    _K.SERVICES_ALIKE: "services {services:list} cannot be told apart",
    _K.ANOTHER_AMOUNT_APPROVED: "{approved:brl} was approved, by now it is {amount:brl}",
    _K.UNREAD: "its contract could not be read: {error}",
    _K.UPDATE_UNSETTLED: "the price update of {execution_date} by {price_index} is not settled",
    _K.UPDATE_SETTLED: "the price updates of its rule are settled",
    _K.CONTRACT_INACTIVE: "contract {contract_id} is inactive",
    _K.CONTRACT_GONE: "contract {contract_id} is no longer at the vendor",
    _K.RULE_GONE: "rule {rule_id} is no longer at the vendor",
    _K.RULE_ENDED: "rule {rule_id} ended on {end_date}",
    _K.NOT_ON_THIS_DAY: "rule {rule_id} no longer issues on this day",
    _K.LEFT_OUT_BY_POLICY: "left out by the policy {policy} of run {run_id}",
    _K.CALLED_FOR_AGAIN: "rule {rule_id} calls for it again",
    _K.TERMS_FOLLOWED: "last seen so at {last_seen}, first seen changed at {first_seen}: {was} became {now}",
    _K.SUPERSEDED: "the same rule and date is billed by organization {organization_id}",
    _K.APPLIED: "applied: factor {factor}",
    _K.VALUE_NOT_OUT: "the value of {price_index} for {month:month} is not out before {out_from}",
    _K.VALUE_LATE: (
        "the value of {price_index} for {month:month} should be out since {out_from} and is not; "
        "parked on {until} if it stays so"
    ),
    _K.VALUE_MISSING: (
        "the value of {price_index} for {month:month} should be out since {out_from} and is not; waited since {since}"
    ),
    _K.UPDATE_UNUSABLE: "{error}",
    _K.PERIOD_UNSETTLED: "the period of {issue_date} is {state} and has to be settled first",
    _K.CONTINUITY: _CONTINUITY,
    _K.CONTINUITY_CHANGED: f"what {{person}} decided was about other figures; {_CONTINUITY}",
    _K.WAITS_FOR_APPROVAL: "waits for a person's approval",
    _K.GOES_ON: "goes on",
    _K.PROPOSAL_CHANGED: "rule, prices or index values changed since it was proposed",
    _K.APPROVAL_REFUSED: (
        "the approval by {person} is refused: rule, prices or index values changed since it was proposed"
    ),
    _K.REJECTED: "rejected by {person}",
    _K.PRICE_NOT_TAKEN: "the vendor was sent {sent:amounts} and shows {shown:amounts}",
    _K.PRICE_THERE: "the vendor shows the new price",
    _K.PRICE_NOT_THERE: "the vendor shows the price before after the grace period: planned again",
    _K.PRICE_UNEXPECTED: (
        "the vendor shows {shown:amounts}, neither the price before ({before:amounts}) nor the new one ({sent:amounts})"
    ),
    _K.INVOICES_PENDING: "invoice {invoice_id} is not at the new price yet: {error}",
    _K.REPRICED: "{old:brl} to {new:brl} by the price update of {execution_date}",
    _K.VENDOR_READJUSTED: "the vendor has readjusted the price itself: its price counts",
    _K.VENDOR_DATE_ALONE: (
        "the vendor moved its execution date to {next_date}, but its price is still {shown:amounts}"
    ),
    _K.VENDOR_ON_TOP: (
        "the vendor shows {shown:amounts} since it readjusted once more than Ciclo; correct the rule at the vendor"
    ),
    _K.VENDOR_CHANGED_LATER: (
        "the vendor shows {shown:amounts}, and the price was changed after the execution date as well"
    ),
    _K.VENDOR_AHEAD: (
        "the vendor's next execution is {next_date}, more than one later; its price of the time between is not known"
    ),
    _K.UPDATE_ENDED: "the rule, its contract or the update has ended, or it executes on another day by now",
    _K.CAUSE_GONE: "the cause is gone",
    _K.SEEN_ANEW: "{person} acknowledged {was}, now it is {found}",
    _K.APPROVED: "approved by {person}: {hash}",
    _K.RELEASED: "released by {person}: {note}",
    _K.CANCELLED: "cancelled by {person}: {note}",
    _K.PLANNED_AGAIN: "planned again by {person}: {note}",
    _K.SETTLED_NOW: "grace period ended by {person}: {note}",
    _K.ACKNOWLEDGED: "{note}",
    _K.BILLED_AGAIN: "billed again by {person} after invoice {invoice_id}: {note}",
    _K.APPLY_ASKED: "{person} decided to apply it: {note}",
    _K.SKIPPED: "{person} decided to skip it: {note}",
    _K.NOT_ITS_OWN: "{person} says that invoice {invoice_ids:list} is not its own: {note}",
}

FINDINGS: Mapping[FindingKind, str] = {
    _F.GAP: (
        "nobody bills {covered}{amount:worth}; bill_range for the day bills what a rule calls for, "
        "acknowledge what is not to be billed"
    ),
    _F.BACKDATED: (
        "{amount:brl} was due before it was first seen on {first_seen}, and nobody has billed it; "
        "bill_range for its day bills it, or acknowledge that it is not billed"
    ),
    _F.TERMS_CHANGED: (
        "its terms changed between {last_seen} and {first_seen}: {was} became {now}; correct its invoice at the "
        "vendor, or acknowledge that it stays as it was billed"
    ),
    _F.PAUSED: "not billed from {from_date} to {to_date}: the contract was inactive",
    _F.UNREAD: "it cannot be read: {error}",
    _F.OVERDUE: "planned and not issued; it is older than runs catch up: bill_range bills it",
    _F.REMOVED_AT_VENDOR: "the vendor had generated its invoice and somebody removed it",
    _F.CANCELLED_REMOTELY: (
        "invoice {invoice_id} of {amount:brl} is cancelled at the vendor; bill the period again, or acknowledge that "
        "it is not billed"
    ),
    _F.DUPLICATED_REMOTELY: (
        "invoice {invoice_id} of {amount:brl} is one too many beside {expected}; cancel one of them at the vendor"
    ),
    _F.UNEXPLAINED: (
        "invoice {invoice_id} of {planned_date}, {amount:brl} ({description}): no period expects it; cancel it, or "
        "acknowledge it"
    ),
    _F.CUSTOMER_DIFFERS: "invoice {invoice_id} is for customer {found}, the contract's is {expected}",
    _F.VALUE_EDITED: "invoice {invoice_id} is {found:brl}, its rule says {expected:brl}",
    _F.DATE_MOVED: "invoice {invoice_id} is issued on {found}, its rule says {expected}",
    _F.SPLIT: "invoice {invoice_id} has {found} receivables, its rule says {expected}",
    _F.DESCRIPTION_DIFFERS: "invoice {invoice_id} has another description than its rule",
    _F.AMOUNT_DIFFERS: "invoice {invoice_id}: what its receivables come to is {found:brl}, not {expected:brl}",
    _F.DUE_DATE_CHANGED: "invoice {invoice_id}, receivable {receivable_id}: due on {found}, by its rule on {expected}",
    _F.UNDER_PAID: "invoice {invoice_id}, receivable {receivable_id}: {found:brl} of {expected:brl} was paid",
    _F.OVER_PAID: "invoice {invoice_id}, receivable {receivable_id}: {found:brl} was paid, {expected:brl} was due",
    _F.PAID_LATE: "invoice {invoice_id}, receivable {receivable_id}: due on {expected}, paid on {found}",
    _F.FINANCE_SYSTEM_ERROR: (
        "invoice {invoice_id}, receivable {receivable_id}: the finance system refused it, the money will not come "
        "until somebody acts: {found}"
    ),
    _F.DELETED_REMOTELY: (
        "invoice {invoice_id} of {amount:brl} was {state} and is no longer at the vendor; make it there again, or "
        "acknowledge that it is not billed"
    ),
    _F.VENDOR_FACTOR_DIFFERS: (
        "the vendor readjusted to {found:amounts}, by the index it is {expected:amounts}; the vendor's price counts"
    ),
}


class _Words(string.Formatter):
    """Format strings over facts; what is missing reads `?`."""

    def get_value(self, key: int | str, args: Any, kwargs: Mapping[str, Any]) -> Any:  # noqa: ARG002 - the base's signature
        return kwargs.get(str(key))

    def format_field(self, value: Any, format_spec: str) -> str:  # noqa: PLR0911 - one a format
        if format_spec == "worth":
            return "" if value is None else f" ({brl(Decimal(str(value)))})"
        if value is None:
            return "?"
        match format_spec:
            case "brl":
                return brl(Decimal(str(value)))
            case "month":
                year, month = str(value).split("-")[:2]
                return f"{month}/{year}"
            case "amounts":
                return ", ".join(brl(Decimal(str(each))) for each in value)
            case "breaks":
                return "; ".join(BREAKS[Break(each)] for each in value)
            case "list":
                return ", ".join(map(str, [value] if isinstance(value, str | int) else value))
            case _:
                return str(value)


_WORDS = _Words()


def said(reason: Reason | None, nothing: str = "") -> str:
    """Put a reason into a sentence, with contract, rule and date in front where they are among its facts.

    Args:
        reason: a reason, or None where there is none.
        nothing: what to say where there is none.
    """
    if reason is None:
        return nothing
    template = REASONS[reason.kind]
    return f"{_place(reason.facts, template)}{_WORDS.vformat(template, (), reason.facts)}"


def said_of_finding(kind: str, facts: Mapping[str, Fact]) -> str:
    """Put a finding into a sentence that names what it is about; the text of an older one is as it was written."""
    if "text" in facts:
        return str(facts["text"])
    try:
        template = FINDINGS[FindingKind(kind)]
    except (KeyError, ValueError):
        template = kind.replace("_", " ")
    return f"{_place(facts, template)}{_WORDS.vformat(template, (), facts)}"


def kind_words(kind: str) -> str:
    """Return a kind of reason or finding as a heading has it."""
    return "Other reasons" if kind == ReasonKind.SAID else kind.replace("_", " ").capitalize()


_NAMED = (
    ("contract_id", "contract {}"),
    ("rule_id", "rule {}"),
    ("issue_date", "period {}"),
    ("execution_date", "update of {}"),
)


def _place(facts: Mapping[str, Fact], template: str) -> str:
    """Return what a sentence is about, for what it does not name itself."""
    names = [text.format(facts[name]) for name, text in _NAMED if name in facts and f"{{{name}" not in template]
    return f"{', '.join(names)}: " if names else ""

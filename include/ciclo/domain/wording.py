"""Reasons and findings in words: the one place where a kind with its facts becomes a sentence.

A sentence is a template with the names of facts. `{amount:brl}` writes a decimal string as money, `{month:month}` a
`YYYY-MM` as `MM/YYYY`, `{ids:list}` a list with commas, `{amount:worth}` money in brackets where it is known,
`{state:state}` a state, `{why:because}` another reason in brackets where there is one. A day is written as the language
writes it. Any other fact that is not there reads `?`: an old row, or one that another version wrote, is shown all the
same. An error among the facts is a text of its own (`DomainError.fact`).
"""

import re
import string
from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from ciclo.domain.continuity import Basis, Break
from ciclo.domain.findings import FindingKind
from ciclo.domain.instructions import InstructionKind
from ciclo.domain.money import brl
from ciclo.domain.price_index import PriceIndex
from ciclo.domain.states import Fact, PeriodState, Reason, ReasonKind
from ciclo.locale import ENGLISH, N_, Text, _, language

_K, _F = ReasonKind, FindingKind

BREAKS: Mapping[Break, str] = {
    Break.MONTH_USED_TWICE: N_("a month is in the price already"),
    Break.MONTH_SKIPPED: N_("a month would never be used"),
    Break.POLICY_CHANGED: N_("the months are counted by another policy than before"),
    Break.INDEX_CHANGED: N_("the index is another one than before"),
    Break.PRICE_CHANGED_BY_HAND: N_("a person changed the price within these months"),
    Break.YOUNGER_THAN_WINDOW: N_("the price is younger than these months"),
}

BASES: Mapping[Basis, str] = {
    Basis.LETTER: N_("by the letter of the rule"),
    Basis.CONTINUITY: N_("following the last one"),
    Basis.WINDOW: N_("by other months"),
    Basis.VENDOR: N_("at the vendor's price"),
}

INSTRUCTIONS: Mapping[InstructionKind, str] = {
    InstructionKind.RECEIVE: N_("Record receipt"),
    InstructionKind.UNDO_RECEIPT: N_("Undo receipt"),
    InstructionKind.CREATE_CHARGE: N_("Create boleto"),
    InstructionKind.CREATE_CHARGES: N_("Create boletos"),
    InstructionKind.APPROVE: N_("Approve"),
    InstructionKind.BLOCK: N_("Block"),
}

REASONS: Mapping[ReasonKind, str] = {
    _K.SAID: "{text}",
    _K.CLAIMED: N_("claimed by {owner}"),
    _K.CREATED: N_("invoice {invoice_id} created"),
    _K.ADOPTED: N_("invoice {invoice_id} was there already"),
    _K.NO_ANSWER: N_("no answer: {error}"),
    _K.NOT_SENT: N_("not sent: {error}"),
    _K.CLAIM_EXPIRED: N_("claimed by {owner}, which never came back"),
    _K.STANDS_IN: N_("invoice {lost_id} is {lost:state} at the vendor; invoice {invoice_id} stands in for it"),
    _K.NOT_AT_VENDOR: N_("not at the vendor after the grace period: planned again"),
    _K.REFUSED: N_("the API refused it: {error}"),
    _K.LOST_TWICE: N_("the answer was lost a second time: look at the vendor before it is sent again"),
    _K.SEVERAL_MATCHES: N_("several invoices may be this period's: {invoice_ids:list}"),
    _K.ONE_INVOICE_FOR_SEVERAL: N_(
        "invoice {invoice_ids:list} may be this period's and another one's: {issue_dates:list}"
    ),
    _K.MAY_BE_ITS_OWN: N_("invoice {invoice_ids:list} of {amount:brl} may be its own"),
    _K.REMOVED_AT_VENDOR: N_("the vendor had generated its invoice and somebody removed it"),
    _K.COVERED_ALREADY: N_("{covered} is billed already by invoice {invoice_id} of {billed_on}"),
    _K.PRICE_UNKNOWN: N_("its price is not known: {error}"),
    _K.TERMS_UNUSABLE: N_("its rule cannot be billed by: {error}"),
    _K.TOTAL_NOT_POSITIVE: N_("its total would be {amount:brl}"),
    _K.OTHER_CUSTOMER: N_(
        "its rule bills {rule_customer}, its contract is with {contract_customer}, and the API bills a contract's "
        "customer only: make the invoice at the vendor, then release it"
    ),
    _K.SERVICES_ALIKE: N_("services {services:list} cannot be told apart"),
    _K.ANOTHER_AMOUNT_APPROVED: N_("{approved:brl} was approved, by now it is {amount:brl}"),
    _K.UNREAD: N_("its contract could not be read: {error}"),
    _K.UPDATE_UNSETTLED: N_("the price update of {execution_date} by {price_index} is not settled"),
    _K.UPDATE_SETTLED: N_("the price updates of its rule are settled"),
    _K.CONTRACT_INACTIVE: N_("contract {contract_id} is inactive"),
    _K.CONTRACT_GONE: N_("contract {contract_id} is no longer at the vendor"),
    _K.RULE_GONE: N_("rule {rule_id} is no longer at the vendor"),
    _K.RULE_ENDED: N_("rule {rule_id} ended on {end_date}"),
    _K.NOT_ON_THIS_DAY: N_("rule {rule_id} no longer issues on this day"),
    _K.LEFT_OUT_BY_POLICY: N_("left out by the policy {policy} of run {run_id}"),
    _K.CALLED_FOR_AGAIN: N_("rule {rule_id} calls for it again"),
    _K.CORRECTED_AHEAD: N_("its invoice, made ahead, follows its rule: {was:brl} became {now:brl}"),
    _K.TERMS_FOLLOWED: N_("last seen so at {last_seen}, first seen changed at {first_seen}: {was} became {now}"),
    _K.SUPERSEDED: N_("the same rule and date is billed by organization {organization_id}"),
    _K.SKIPPED_BY_ADJUSTMENT: N_("not billed, by adjustment {adjustment_id} of {person}: {note}"),
    _K.QUANTITIES_MISSING: N_("its rule waits for quantities, and none have come for it"),
    _K.QUANTITIES_CAME: N_("its quantities have come"),
    _K.ADJUSTMENT_ADDED: N_("added from {origin}"),
    _K.ADJUSTMENT_USED: N_("in invoice {invoice_id} of {issue_date}"),
    _K.ADJUSTMENT_WITHDRAWN: N_("withdrawn by {person}: {note}"),
    _K.APPLIED: N_("applied: factor {factor}"),
    _K.VALUE_NOT_OUT: N_("the value of {price_index} for {month:month} is not out before {out_from}"),
    _K.VALUE_LATE: N_(
        "the value of {price_index} for {month:month} should be out since {out_from} and is not; "
        "parked on {until} if it stays so"
    ),
    _K.VALUE_MISSING: N_(
        "the value of {price_index} for {month:month} should be out since {out_from} and is not; waited since {since}"
    ),
    _K.UPDATE_UNUSABLE: "{error}",
    _K.PERIOD_UNSETTLED: N_("the period of {issue_date} is {state:state} and has to be settled first"),
    _K.CONTINUITY: N_(
        "{breaks:breaks}{old:amounts} becomes {letter:amounts} by {letter_months:list}, "
        "or {continuity:amounts} by {continuity_months:list}; a person decides"
    ),
    _K.CONTINUITY_CHANGED: N_(
        "what {person} decided was about other figures; "
        "{breaks:breaks}{old:amounts} becomes {letter:amounts} by {letter_months:list}, "
        "or {continuity:amounts} by {continuity_months:list}; a person decides"
    ),
    _K.WAITS_FOR_APPROVAL: N_("waits for a person's approval"),
    _K.GOES_ON: N_("goes on"),
    _K.PROPOSAL_CHANGED: N_("rule, prices or index values changed since it was proposed"),
    _K.APPROVAL_REFUSED: N_(
        "the approval by {person} is refused: rule, prices or index values changed since it was proposed"
    ),
    _K.REJECTED: N_("rejected by {person}"),
    _K.PRICE_NOT_TAKEN: N_("the vendor was sent {sent:amounts} and shows {shown:amounts}"),
    _K.PRICE_THERE: N_("the vendor shows the new price"),
    _K.PRICE_NOT_THERE: N_("the vendor shows the price before after the grace period: planned again"),
    _K.PRICE_UNEXPECTED: N_(
        "the vendor shows {shown:amounts}, neither the price before ({before:amounts}) nor the new one ({sent:amounts})"
    ),
    _K.INVOICES_PENDING: N_("invoice {invoice_id} is not at the new price yet: {error}"),
    _K.REPRICED: N_("{old:brl} to {new:brl} by the price update of {execution_date}"),
    _K.VENDOR_READJUSTED: N_("the vendor has readjusted the price itself: its price counts"),
    _K.VENDOR_DATE_ALONE: N_(
        "the vendor moved its execution date to {next_date}, but its price is still {shown:amounts}"
    ),
    _K.VENDOR_ON_TOP: N_(
        "the vendor shows {shown:amounts} since it readjusted once more than Ciclo; correct the rule at the vendor"
    ),
    _K.VENDOR_CHANGED_LATER: N_(
        "the vendor shows {shown:amounts}, and the price was changed after the execution date as well"
    ),
    _K.VENDOR_AHEAD: N_(
        "the vendor's next execution is {next_date}, more than one later; its price of the time between is not known"
    ),
    _K.VENDOR_OTHERWISE: N_(
        "{breaks:breaks}the vendor has readjusted {old:amounts} to {vendor:amounts} by itself; by the rule and the "
        "contract's terms it is {letter:amounts} by {letter_months:list}{continuity:otherwise}; a person decides"
    ),
    _K.UPDATE_ENDED: N_("the rule, its contract or the update has ended, or it executes on another day by now"),
    _K.CAUSE_GONE: N_("the cause is gone"),
    _K.SEEN_ANEW: N_("{person} acknowledged {was:side}, now it is {found:side}"),
    _K.SEEN_FIRST: N_("found at the vendor"),
    _K.SEEN_CHANGED: "{changes:changes}",
    _K.SEEN_EVENTS: "{events:states}{paid:paid}",
    _K.SEEN_BACK: N_("back at the vendor"),
    _K.SEEN_GONE: N_("no longer at the vendor"),
    _K.STATE_ACCEPTED: N_("accepted by {person}: {note}"),
    _K.INSTRUCTION_ASKED: N_("asked for by {person}: {note}"),
    _K.INSTRUCTION_WITHDRAWN: N_("withdrawn by {person}: {note}"),
    _K.CARRIED_OUT: N_("the vendor shows it"),
    _K.SO_ALREADY: N_("it was so at the vendor already: nothing was sent"),
    _K.NOT_THERE_YET: N_("not at the vendor after the grace period: it is sent again"),
    _K.TAKEN: N_("the vendor has taken it and does not show it yet"),
    _K.CHANGED_SINCE_ASKED: N_("it is not as it was when it was asked for: {changes:changes}"),
    _K.NOT_IN_STATE: N_("it is {state:state} at the vendor"),
    _K.BOLETOS_THERE: N_("receivables {receivable_ids:list} have a boleto: ask for the others' one by one"),
    _K.BOLETO_NOT_MADE: N_("no boleto of receivables {receivable_ids:list}: {error}"),
    _K.OPENED: "{finding}",
    _K.NEVER_PLANNED: N_("never planned; run bill_range for its day"),
    _K.NOT_ISSUED: N_("{state:state}{why:because}; {cure}"),
    _K.INVOICE_GONE: N_("invoice {invoice_id} is no longer at the vendor"),
    _K.DELETION_ACCEPTED: N_("its invoice was deleted, accepted by {person}: {note}"),
    _K.GIVEN_UP_BY_HAND: N_("by a person"),
    _K.STILL_CALLED_FOR: N_("cancelled{why:because}, but its rule still calls for it"),
    _K.GIVEN_UP_LATE: N_("cancelled{why:because}, but it was due when it was given up"),
    _K.INACTIVE_MEANWHILE: N_("the contract was inactive{stretch:stretch}"),
    _K.CLOSING_TRIED: "{month:month}: {verdict}",
    _K.ARMED: N_("armed by {person} from {month:month} on"),
    _K.PLAN_PROPOSED: "{policy:state}: {hash}",
    _K.APPROVED: N_("approved by {person}: {hash}"),
    _K.RELEASED: N_("released by {person}: {note}"),
    _K.CANCELLED: N_("cancelled by {person}: {note}"),
    _K.PLANNED_AGAIN: N_("planned again by {person}: {note}"),
    _K.SETTLED_NOW: N_("grace period ended by {person}: {note}"),
    _K.ACKNOWLEDGED: "{note}",
    _K.OPEN_AGAIN: N_("acknowledgement taken back by {person}: {note}"),
    _K.BILLED_AGAIN: N_("billed again by {person} after invoice {invoice_id}: {note}"),
    _K.APPLY_ASKED: N_("{person} decided to apply it{basis:basis}: {note}"),
    _K.SKIPPED: N_("{person} decided to skip it: {note}"),
    _K.SKIP_UNDONE: N_("{person} took the skip back: {note}"),
    _K.LOOKED_AT_AGAIN: N_("{person} takes back that invoice {invoice_ids:list} is not its own: {note}"),
    _K.ITS_OWN: N_("{person} says that invoice {invoice_ids:list} is its own: {note}"),
    _K.NOT_ITS_OWN: N_("{person} says that invoice {invoice_ids:list} is not its own: {note}"),
    _K.TERM_AGREED: N_("{person} entered {term}: {note}"),
    _K.TERM_ENDED: N_("{person} let {term} end on {last_day}: {note}"),
    _K.LATE_BILLED: N_("{person} decided to bill the difference of {amount:brl} with the next invoice: {note}"),
    _K.LATE_LEFT: N_("{person} decided not to bill the difference of {amount:brl}: {note}"),
    _K.LETTER_ASKED: N_("{person} asked for a letter: {note}"),
    _K.LETTER_SENT: N_("sent to {recipients:list}"),
    _K.LETTER_FAILED: N_("not taken for {recipients:list}: {error}"),
}

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
    _F.SPLIT: N_("invoice {invoice_id} has {found} receivables, its rule says {expected}"),
    _F.DESCRIPTION_DIFFERS: N_("invoice {invoice_id} has another description than its rule"),
    _F.ADJUSTMENT_LEFT_OUT: N_(
        "invoice {invoice_id} lacks adjustments {adjustment_ids:list}: it is {found:brl}, with them {expected:brl}; "
        "{why}. Correct it at the vendor, or withdraw them and add a line to the next period"
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
    _K.SAID: "Other reasons",
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

CURES: Mapping[str, str] = {
    PeriodState.PLANNED: N_("bill_range for its day bills it"),
    PeriodState.WAITING: N_("settle the price update of its rule, then run bill_range for its day"),
    PeriodState.SUBMITTING: N_("run issue_invoices: it settles what was sent"),
    PeriodState.IN_DOUBT: N_("run issue_invoices once the grace period is over: it looks what became of it"),
    PeriodState.PARKED: N_("release it to bill it, or cancel it with a note"),
}
"""What a person does about a period that was due and has no invoice; none of it can bill twice."""

_OTHERS = N_(
    "say which is its own, or that none is: then it is billed beside them; or cancel the period with a note. A release "
    "alone looks again"
)
CURES_OF_PARKED: Mapping[ReasonKind, str] = {
    _K.COVERED_ALREADY: N_("cancel it with a note: released, it is billed a second time"),
    _K.MAY_BE_ITS_OWN: _OTHERS,
    _K.SEVERAL_MATCHES: N_("cancel at the vendor all but one of them, then release it: the one is taken over"),
    _K.ONE_INVOICE_FOR_SEVERAL: _OTHERS,
    _K.LOST_TWICE: N_("look for its invoice at the vendor: release it if there is none, else cancel the period"),
    _K.REMOVED_AT_VENDOR: N_("cancel it with a note if it is not owed; released, it is billed"),
    _K.SERVICES_ALIKE: N_("give the services names of their own at the vendor, then release it"),
    _K.QUANTITIES_MISSING: N_("import its quantities, then run bill_range for its day"),
    _K.TOTAL_NOT_POSITIVE: N_("correct the rule at the vendor and release it, or cancel it with a note"),
}
"""Where the ordinary cure of a parked period would bill twice, or does not help."""

_NOTHING_SAYS_NOTHING = {"worth", "otherwise", "basis", "because", "receivable", "paid"}
"""Forms that leave out what is not there."""


class _Words(string.Formatter):
    """Format strings over facts; what is missing reads `?`."""

    def get_value(self, key: int | str, args: Any, kwargs: Mapping[str, Any]) -> Any:  # noqa: ARG002 - the base's signature
        return kwargs.get(str(key))

    def format_field(self, value: Any, format_spec: str) -> str:  # noqa: C901, PLR0911, PLR0912 - one a format
        if value is None:
            return "" if format_spec in _NOTHING_SAYS_NOTHING else "?"
        match format_spec:
            case "worth":
                return f" ({brl(Decimal(str(value)))})"
            case "otherwise":
                return _(", by continuity {amounts}").format(amounts=self.format_field(value, "amounts"))
            case "basis":
                return f" ({_(BASES[Basis(value)])})"
            case "brl":
                return brl(Decimal(str(value)))
            case "month":
                return _month(value)
            case "amounts":
                return ", ".join(brl(Decimal(str(each))) for each in value)
            case "signed":
                return f"{'+' if Decimal(str(value)) > 0 else '−'} {brl(abs(Decimal(str(value))))}"  # noqa: RUF001 - a minus
            case "number":
                return str(value).replace(".", ",")
            case "index":
                return PriceIndex(value).label
            case "months":
                if not value:
                    return ""
                return _(" from {first} to {last}").format(first=_month(value[0]), last=_month(value[-1]))
            case "breaks":
                words = "; ".join(_(BREAKS[Break(each)]) for each in value)
                return f"{words}: " if words else ""
            case "state":
                return state_words(str(value))
            case "states":
                return ", ".join(state_words(str(each)) for each in value)
            case "side":
                return side_words(str(value))
            case "instruction":
                return instruction_words(str(value))
            case "because":
                return f" ({plain_words(value)})"
            case "receivable":
                return _(", receivable {number}").format(number=value)
            case "paid":
                day = plain_words(value["day"])
                return _(": {amount} on {day}").format(amount=brl(Decimal(value["amount"])), day=day)
            case "stretch":
                text = _(" from {first} to {last}") if len(value) > 1 else _(" from {first} on")
                return text.format(first=plain_words(value[0]), last=plain_words(value[-1]))
            case "changes":
                text = _("{name} {was} became {now}")
                return "; ".join(
                    text.format(name=key_words(name).lower(), was=plain_words(was), now=plain_words(now))
                    for name, (was, now) in value.items()
                )
            case "list":
                return ", ".join(map(_listed, [value] if isinstance(value, str | int) else value))
            case _:
                return plain_words(value)


WORDS = _Words()


def _listed(value: object) -> str:
    return _month(value) if A_MONTH.fullmatch(str(value)) else str(value)


def _month(value: object) -> str:
    year, month = str(value).split("-")[:2]
    return f"{month}/{year}"


def said(reason: Reason | None, nothing: str = "") -> str:
    """Put a reason into a sentence, with contract, rule and date in front where they are among its facts.

    Args:
        reason: a reason, or None where there is none.
        nothing: what to say where there is none.
    """
    if reason is None:
        return nothing
    template = _(REASONS[reason.kind])
    return f"{_place(reason.facts, template)}{_worded(reason)}"


def _worded(reason: Reason) -> str:
    facts = dict(reason.facts)
    if reason.kind is _K.NOT_ISSUED:
        facts["cure"] = _(_cure(str(facts.get("state")), facts.get("why")))
    if reason.kind is _K.CLOSING_TRIED:
        facts["verdict"] = verdict_words(facts)
    return WORDS.vformat(_(REASONS[reason.kind]), (), facts)


def _cure(state: str, why: Any) -> str:
    if why and state in (PeriodState.PARKED, PeriodState.WAITING):
        return CURES_OF_PARKED.get(ReasonKind(why["reason"]), CURES[state])
    return CURES.get(state, "?")


def verdict_words(facts: Mapping[str, Any]) -> str:
    """Say how an attempt to close a month ended.

    Args:
        facts: `verdict` is "closed", "in order" or "not closed", or a sentence of an older version;
            `what_keeps_it_open` counts the obstacles by kind.
    """
    match facts.get("verdict", "?"):
        case "in order":
            return _("in order, for the contracts that were looked at")
        case "not closed" if facts.get("what_keeps_it_open"):
            counts = Counter({kind_words(kind).lower(): number for kind, number in facts["what_keeps_it_open"].items()})
            return _("not closed: {what}").format(what=", ".join(f"{counts[kind]} {kind}" for kind in sorted(counts)))
        case verdict:
            return _(verdict)


def said_of_line(facts: Mapping[str, Any]) -> str:
    """Put a line of a month's proof into a sentence: contract, rule, day, BRL, and why it is so."""
    amount = [brl(Decimal(facts["amount"]))] if facts.get("amount") is not None else []
    place = _place(facts, "").removesuffix(": ")
    return f"{', '.join([place, *amount])}: {plain_words(facts['because'])}"


def said_of_finding(kind: str, facts: Mapping[str, Fact]) -> str:
    """Put a finding into a sentence that names what it is about; the text of an older one is as it was written."""
    if "text" in facts:
        return plain_words(facts["text"])
    if "because" in facts:
        return said_of_line(facts)
    if kind == _F.CHANGED_AFTER_CLOSE and "replaced" not in facts:
        return f"{_place(facts, '')}{WORDS.vformat(_(CHANGED_SINCE_CLOSED), (), facts)}"
    try:
        template = _(FINDINGS[FindingKind(kind)])
    except (KeyError, ValueError):
        template = state_words(kind)
    return f"{_place(facts, template)}{WORDS.vformat(template, (), facts)}"


def kind_words(kind: str) -> str:
    """Return a kind of reason or finding as a heading has it."""
    return _(heading(kind))


def heading(kind: str) -> str:
    """Return the text of a kind's heading, as the catalogues have it."""
    return HEADINGS.get(kind) or kind.replace("_", " ").capitalize()


def state_words(state: str) -> str:
    """Return a state, or another value of an enum, as a sentence has it: `in doubt`."""
    return _(state.replace("_", " "))


def instruction_words(kind: str) -> str:
    """Return what the vendor is told to do, as a button has it."""
    return _(INSTRUCTIONS[InstructionKind(kind)])


def key_words(key: str) -> str:
    """Return a key of a document as a heading has it."""
    return _(key.replace("_", " ").capitalize())


_SIDES = (
    (re.compile(r"invoice (\d+)"), N_("invoice {}")),
    (re.compile(r"(.+) on (\d{4}-\d\d-\d\d)"), N_("{} on {}")),
    (re.compile(r"(R\$ \S+), cancelled"), N_("{}, cancelled")),
)
"""What the two sides of a finding hold besides plain values: written by machines, read by people."""


def side_words(side: str | None) -> str:
    """Say what was expected, or found; an em dash where there is nothing to say."""
    if not side:
        return "—"
    for pattern, text in _SIDES:
        if found := pattern.fullmatch(side):
            return _(text).format(*map(plain_words, found.groups()))
    return plain_words(_(side))


A_MONTH = re.compile(r"\d{4}-(?:0[1-9]|1[0-2])", re.ASCII)
"""A month as a document holds it."""
_MONTHS = re.compile(rf"{A_MONTH.pattern}(?:, {A_MONTH.pattern})*", re.ASCII)
_DAY = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?:T(\d\d:\d\d)\S*)?", re.ASCII)


def plain_words(value: object) -> str:
    """Write a fact for which no form is asked: days as the language writes them, months as `10/2025`.

    A reason, a finding, a line of a proof and a text, as they stand in a document, are put into their own words.
    """
    if isinstance(value, Mapping):
        match value:
            case {"reason": kind, "facts": facts}:
                return _worded(Reason(ReasonKind(kind), facts))
            case {"finding": kind, "facts": facts}:
                return said_of_finding(kind, facts)
            case {"because": _why}:
                return said_of_line(value)
            case _:
                return str(Text.of(value))
    text = str(value)
    if _MONTHS.fullmatch(text):
        text = ", ".join(map(_month, text.split(", ")))
    elif language() != ENGLISH:
        text = _DAY.sub(lambda day: f"{day[3]}/{day[2]}/{day[1]}{f' {day[4]}' if day[4] else ''}", text)
    return text


_NAMED = (
    ("contract_id", N_("contract {}")),
    ("rule_id", N_("rule {}")),
    ("issue_date", N_("period {}")),
    ("execution_date", N_("update of {}")),
)


def named(facts: Mapping[str, Fact]) -> str:
    """Name what something is about: contract, rule, and planned date or execution date, as far as they are known."""
    return ", ".join(_(text).format(plain_words(facts[name])) for name, text in _NAMED if name in facts)


def _place(facts: Mapping[str, Fact], template: str) -> str:
    """Return what a sentence is about, for what it does not name itself."""
    place = named({name: fact for name, fact in facts.items() if f"{{{name}" not in template})
    return f"{place}: " if place else ""

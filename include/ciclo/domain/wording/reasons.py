"""The words of reasons: a sentence a kind, what a person does about a period that stopped, and what reasons speak of.

How a sentence is written, `{amount:brl}` say, is told in `ciclo.domain.wording.sentences`.
"""

from collections.abc import Mapping

from ciclo.domain.continuity import Basis, Break
from ciclo.domain.instructions import InstructionKind
from ciclo.domain.states import PeriodState, ReasonKind
from ciclo.locale import N_

_K = ReasonKind

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
    _K.COVERED_BY_ANOTHER: N_("{covered} is for the period of {billed_on} of rule {billed_by} to bill"),
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
    _K.UPDATE_UNSETTLED: N_("the price update of {execution_date} by {price_index:index} is not settled"),
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
    _K.VALUE_NOT_OUT: N_("the value of {price_index:index} for {month:month} is not out before {out_from}"),
    _K.VALUE_LATE: N_(
        "the value of {price_index:index} for {month:month} should be out since {out_from} and is not; "
        "parked on {until} if it stays so"
    ),
    _K.VALUE_MISSING: N_(
        "the value of {price_index:index} for {month:month} should be out since {out_from} and is not; "
        "waited since {since}"
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
    _K.VENDOR_IN_PART: N_(
        "{breaks:breaks}only a part of the update's prices has changed at the vendor: {old:amounts} to "
        "{vendor:amounts}; by the rule and the contract's terms it is {letter:amounts} by {letter_months:list}"
        "{continuity:otherwise}; a person decides"
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
    _K.STILL_CALLED_FOR: N_("cancelled{why:because}, but its rule called for it"),
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
    _K.SETTING_CHANGED: N_("{person} changed how it is billed: {changes:changes}"),
    _K.LATE_BILLED: N_("{person} decided to bill the difference of {amount:brl} with the next invoice: {note}"),
    _K.LATE_LEFT: N_("{person} decided not to bill the difference of {amount:brl}: {note}"),
    _K.LETTER_ASKED: N_("{person} asked for a letter: {note}"),
    _K.LETTER_SENT: N_("sent to {recipients:list}"),
    _K.LETTER_FAILED: N_("not taken for {recipients:list}: {error}"),
}

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
    _K.COVERED_BY_ANOTHER: N_("cancel one of the two with a note: where it is the other one, this one is billed"),
    _K.MAY_BE_ITS_OWN: _OTHERS,
    _K.SEVERAL_MATCHES: N_("cancel at the vendor all but one of them, then release it: the one is taken over"),
    _K.ONE_INVOICE_FOR_SEVERAL: _OTHERS,
    _K.LOST_TWICE: N_(
        "look for its invoice at the vendor, then release it: one that is there is taken over, else it is sent again"
    ),
    _K.REMOVED_AT_VENDOR: N_(
        "cancel it with a note if it is not owed; released, its invoice is taken over if it is there again, else it is "
        "billed"
    ),
    _K.SERVICES_ALIKE: N_("give the services names of their own at the vendor, then release it"),
    _K.QUANTITIES_MISSING: N_("import its quantities, then run bill_range for its day"),
    _K.TOTAL_NOT_POSITIVE: N_(
        "give it another value by an adjustment and release it, or cancel it with a note: what is corrected in the "
        "rule counts from the day on which it was seen"
    ),
}
"""Where the ordinary cure of a parked period would bill twice, or does not help."""

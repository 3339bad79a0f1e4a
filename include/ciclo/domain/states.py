"""The states of a billing period and of a price update's execution, the changes between them, and why one is made.

A change that is not in `TRANSITIONS` or `EXECUTION_TRANSITIONS` is an error. A period that was sent and has no known
answer is never sent again before it is settled.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from types import MappingProxyType

from ciclo.domain.errors import IllegalTransition


class PeriodState(StrEnum):
    """Where a period is between being expected and being invoiced."""

    PLANNED = "planned"
    WAITING = "waiting"
    SUBMITTING = "submitting"
    IN_DOUBT = "in_doubt"
    ISSUED = "issued"
    PARKED = "parked"
    CANCELLED = "cancelled"


_P = PeriodState

TRANSITIONS: Mapping[PeriodState, tuple[PeriodState, ...]] = MappingProxyType(
    {
        # claimed; a price update is unsettled; it would bill again, or cannot be billed; nothing calls for it any more
        _P.PLANNED: (_P.SUBMITTING, _P.WAITING, _P.PARKED, _P.CANCELLED),
        _P.WAITING: (_P.PLANNED,),  # the price update is settled, the quantities came
        _P.SUBMITTING: (_P.ISSUED, _P.IN_DOUBT, _P.PARKED),  # created; answer unknown; refused by the API
        _P.IN_DOUBT: (_P.ISSUED, _P.PLANNED, _P.PARKED),  # found once; certainly not there; found several times
        _P.ISSUED: (_P.PLANNED,),  # by a person only, who bills again what was cancelled at the vendor
        _P.PARKED: (_P.PLANNED, _P.CANCELLED),  # by a person only
        _P.CANCELLED: (_P.PLANNED,),  # by a person; or a machine cancelled it and its rule calls for it again
    }
)
"""Legal changes of a period."""

SETTLED = frozenset({_P.ISSUED, _P.CANCELLED})
"""States in which nothing is left to do: most of a ledger's periods are in one of them."""


def check_transition(source: PeriodState, target: PeriodState) -> None:
    """Refuse a change of a period's state that is not legal.

    Raises:
        IllegalTransition: naming both states and what would be legal.
    """
    if target not in TRANSITIONS[source]:
        raise IllegalTransition("period", source, target, TRANSITIONS[source])


class ExecutionState(StrEnum):
    """Where the execution of a price update is between being due and being in the prices."""

    PLANNED = "planned"
    WAITING = "waiting"
    PROPOSED = "proposed"
    SUBMITTING = "submitting"
    IN_DOUBT = "in_doubt"
    APPLIED = "applied"
    ADOPTED = "adopted"
    PARKED = "parked"
    CANCELLED = "cancelled"


_E = ExecutionState

EXECUTION_TRANSITIONS: Mapping[ExecutionState, frozenset[ExecutionState]] = MappingProxyType(
    {
        _E.PLANNED: frozenset({_E.WAITING, _E.PROPOSED, _E.SUBMITTING, _E.ADOPTED, _E.PARKED, _E.CANCELLED}),
        _E.WAITING: frozenset({_E.PLANNED, _E.PARKED, _E.CANCELLED}),  # the value is out; it is too late; rule ended
        _E.PROPOSED: frozenset({_E.PLANNED, _E.SUBMITTING, _E.PARKED, _E.CANCELLED}),  # changed; approved; rejected
        _E.SUBMITTING: frozenset({_E.APPLIED, _E.IN_DOUBT, _E.PARKED}),  # answered; answer unknown; refused
        _E.IN_DOUBT: frozenset({_E.APPLIED, _E.PLANNED, _E.PARKED, _E.CANCELLED}),  # there; not there; something else
        _E.APPLIED: frozenset(),
        _E.ADOPTED: frozenset(),
        _E.PARKED: frozenset({_E.PLANNED, _E.CANCELLED}),  # by a person; cancelled also when the rule ended
        _E.CANCELLED: frozenset({_E.PLANNED, _E.IN_DOUBT}),  # called off by a machine, and called for again
    }
)
"""Legal changes of an execution."""

IN_PRICES = (_E.APPLIED, _E.ADOPTED)
"""States of executions whose prices are in force."""
UNSENT = (_E.PLANNED, _E.WAITING, _E.PROPOSED, _E.PARKED)
"""States in which nothing of the execution is on its way to the vendor."""
IN_FLIGHT = (_E.SUBMITTING, _E.IN_DOUBT)
"""States in which the vendor may be carrying the execution out."""


class ReasonKind(StrEnum):
    """Why something changed its state or waits. `ciclo.domain.wording` puts each into words, with its facts."""

    SAID = "said"  # an older row's sentence, as it was written

    # periods: on the way to the vendor
    CLAIMED = "claimed"
    CREATED = "created"
    ADOPTED = "adopted"
    NO_ANSWER = "no_answer"
    NOT_SENT = "not_sent"
    CLAIM_EXPIRED = "claim_expired"
    NOT_AT_VENDOR = "not_at_vendor"
    STANDS_IN = "stands_in"
    REFUSED = "refused"

    # periods: stopped for a person
    LOST_TWICE = "lost_twice"
    SEVERAL_MATCHES = "several_matches"
    ONE_INVOICE_FOR_SEVERAL = "one_invoice_for_several"
    MAY_BE_ITS_OWN = "may_be_its_own"
    REMOVED_AT_VENDOR = "removed_at_vendor"
    COVERED_ALREADY = "covered_already"
    COVERED_BY_ANOTHER = "covered_by_another"
    PRICE_UNKNOWN = "price_unknown"
    TERMS_UNUSABLE = "terms_unusable"
    TOTAL_NOT_POSITIVE = "total_not_positive"
    OTHER_CUSTOMER = "other_customer"
    SERVICES_ALIKE = "services_alike"
    ANOTHER_AMOUNT_APPROVED = "another_amount_approved"
    UNREAD = "unread"

    # periods: waiting, given up, called for again
    UPDATE_UNSETTLED = "update_unsettled"
    UPDATE_SETTLED = "update_settled"
    CONTRACT_INACTIVE = "contract_inactive"
    CONTRACT_GONE = "contract_gone"
    RULE_GONE = "rule_gone"
    RULE_ENDED = "rule_ended"
    NOT_ON_THIS_DAY = "not_on_this_day"
    LEFT_OUT_BY_POLICY = "left_out_by_policy"
    CALLED_FOR_AGAIN = "called_for_again"
    SUPERSEDED = "superseded"
    TERMS_FOLLOWED = "terms_followed"
    CORRECTED_AHEAD = "corrected_ahead"

    SKIPPED_BY_ADJUSTMENT = "skipped_by_adjustment"
    QUANTITIES_MISSING = "quantities_missing"
    QUANTITIES_CAME = "quantities_came"

    # adjustments
    ADJUSTMENT_ADDED = "adjustment_added"
    ADJUSTMENT_USED = "adjustment_used"
    ADJUSTMENT_WITHDRAWN = "adjustment_withdrawn"

    # price updates
    APPLIED = "applied"
    UPDATE_UNUSABLE = "update_unusable"
    PERIOD_UNSETTLED = "period_unsettled"
    VALUE_NOT_OUT = "value_not_out"
    VALUE_LATE = "value_late"
    VALUE_MISSING = "value_missing"
    CONTINUITY = "continuity"
    CONTINUITY_CHANGED = "continuity_changed"
    WAITS_FOR_APPROVAL = "waits_for_approval"
    GOES_ON = "goes_on"
    PROPOSAL_CHANGED = "proposal_changed"
    APPROVAL_REFUSED = "approval_refused"
    REJECTED = "rejected"
    PRICE_NOT_TAKEN = "price_not_taken"
    PRICE_THERE = "price_there"
    PRICE_NOT_THERE = "price_not_there"
    PRICE_UNEXPECTED = "price_unexpected"
    INVOICES_PENDING = "invoices_pending"
    REPRICED = "repriced"
    VENDOR_READJUSTED = "vendor_readjusted"
    VENDOR_DATE_ALONE = "vendor_date_alone"
    VENDOR_ON_TOP = "vendor_on_top"
    VENDOR_CHANGED_LATER = "vendor_changed_later"
    VENDOR_AHEAD = "vendor_ahead"
    VENDOR_IN_PART = "vendor_in_part"
    VENDOR_OTHERWISE = "vendor_otherwise"
    UPDATE_ENDED = "update_ended"

    # findings and months
    CAUSE_GONE = "cause_gone"
    SEEN_ANEW = "seen_anew"

    # what a person did
    APPROVED = "approved"
    RELEASED = "released"
    CANCELLED = "cancelled"
    PLANNED_AGAIN = "planned_again"
    SETTLED_NOW = "settled_now"
    ACKNOWLEDGED = "acknowledged"
    OPEN_AGAIN = "open_again"
    BILLED_AGAIN = "billed_again"
    APPLY_ASKED = "apply_asked"
    SKIPPED = "skipped"
    SKIP_UNDONE = "skip_undone"
    ITS_OWN = "its_own"
    NOT_ITS_OWN = "not_its_own"
    LOOKED_AT_AGAIN = "looked_at_again"
    ARMED = "armed"
    PLAN_PROPOSED = "plan_proposed"
    TERM_AGREED = "term_agreed"
    TERM_ENDED = "term_ended"
    SETTING_CHANGED = "setting_changed"
    LATE_BILLED = "late_billed"
    LATE_LEFT = "late_left"
    LETTER_ASKED = "letter_asked"
    LETTER_SENT = "letter_sent"
    LETTER_FAILED = "letter_failed"

    # invoices and receivables as they were read
    SEEN_FIRST = "seen_first"
    SEEN_CHANGED = "seen_changed"
    SEEN_EVENTS = "seen_events"
    SEEN_BACK = "seen_back"
    SEEN_GONE = "seen_gone"
    STATE_ACCEPTED = "state_accepted"

    # instructions to the vendor
    INSTRUCTION_ASKED = "instruction_asked"
    INSTRUCTION_WITHDRAWN = "instruction_withdrawn"
    CARRIED_OUT = "carried_out"
    SO_ALREADY = "so_already"
    NOT_THERE_YET = "not_there_yet"
    TAKEN = "taken"
    CHANGED_SINCE_ASKED = "changed_since_asked"
    NOT_IN_STATE = "not_in_state"
    BOLETOS_THERE = "boletos_there"
    BOLETO_NOT_MADE = "boleto_not_made"
    OPENED = "opened"

    # the proof of a month
    NEVER_PLANNED = "never_planned"
    NOT_ISSUED = "not_issued"
    INVOICE_GONE = "invoice_gone"
    DELETION_ACCEPTED = "deletion_accepted"
    GIVEN_UP_BY_HAND = "given_up_by_hand"
    STILL_CALLED_FOR = "still_called_for"
    GIVEN_UP_LATE = "given_up_late"
    INACTIVE_MEANWHILE = "inactive_meanwhile"
    CLOSING_TRIED = "closing_tried"


Fact = str | int | Sequence[int] | Sequence[str] | Mapping[str, object] | None
"""A fact as JSON has it: ISO dates, months as `YYYY-MM`, decimal strings, ids and lists of ids; an error."""


def period_facts(contract_id: int, rule_id: int, issue_date: date) -> dict[str, Fact]:
    """Return the facts that tell which period something is about: they are named in front of the sentence."""
    return {"contract_id": contract_id, "rule_id": rule_id, "issue_date": issue_date.isoformat()}


def update_facts(contract_id: int, rule_id: int, execution_date: date) -> dict[str, Fact]:
    """Return the facts that tell which execution of a price update something is about."""
    return {"contract_id": contract_id, "rule_id": rule_id, "execution_date": execution_date.isoformat()}


@dataclass(frozen=True, slots=True)
class Reason:
    """Why something is as it is: a kind and the facts that go with it. Never a sentence: that is made at the edge.

    `contract_id`, `rule_id` and `issue_date` (or `execution_date`) among the facts are named in front of the sentence.
    """

    kind: ReasonKind
    facts: Mapping[str, Fact] = field(default_factory=dict)

    @property
    def fact(self) -> dict[str, object]:
        """The reason as a fact of another one, or of a document."""
        return {"reason": self.kind.value, "facts": dict(self.facts)}

    def __composite_values__(self) -> tuple[str, dict[str, Fact]]:
        """Return the columns of a row that hold it."""
        return self.kind.value, dict(self.facts)


def as_reason(reason: Reason | str) -> Reason:
    """Return a reason as it is, a sentence as one of kind `said`."""
    return reason if isinstance(reason, Reason) else Reason(ReasonKind.SAID, {"text": reason})

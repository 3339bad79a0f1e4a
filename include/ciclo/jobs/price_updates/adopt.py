"""What the vendor did by itself: an update it has executed is adopted at its price and never applied again.

The vendor's execution date says what the vendor executed, the ledger's says what is settled. Ciclo's own PUT moves the
former not at all; a date that stands still is therefore no sign, one that has moved past ours is.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import Enum, auto

from ciclo.domain.errors import DomainError
from ciclo.domain.pricing import next_execution
from ciclo.domain.states import Reason, ReasonKind
from ciclo.jobs.price_updates.propose import Proposal
from ciclo.jobs.price_updates.updated_rule import Due, Prices, UpdatedRule, written
from ciclo.jobs.rules.prices import readjusted_services
from ciclo.jobs.rules.schedules import domain_update
from ciclo.ledger.repositories import KnownPrice
from ciclo.ledger.tables import Payload
from ciclo.locale import N_, Text

UNMOVED = Text(
    N_("the vendor's execution date has not moved: make sure that nobody changed the price for another reason")
)


class VendorSign(Enum):
    """What there is to see at the vendor about one execution."""

    NOTHING = auto()  # neither date nor price moved: the update is ours to apply
    READJUSTED = auto()  # both moved, or the date moved and the price is what ours would be, too
    PRICE_ALONE = auto()  # the price is another one, the date stands
    IN_PART = auto()  # some prices are other ones, and some that ours would change are the ones before
    DATE_ALONE = auto()  # the date moved, the price is the one before, and ours would be another
    ON_TOP = auto()  # the price is the one that the vendor is known to show since it readjusted once more than Ciclo
    CHANGED_LATER = auto()  # the ledger has a price from after the execution date already
    AHEAD = auto()  # the vendor is more than one execution ahead


@dataclass(frozen=True, slots=True)
class Adoption:
    """The vendor's own readjustment: its prices count from the execution date on."""

    prices: Prices
    """Unit values at the vendor of the services that the update readjusts."""
    before: Prices
    """Those in force before."""
    warnings: tuple[Text, ...] = ()
    in_part: bool = False
    """Whether a price that ours would change is the one before: then a person has to agree."""


def judge_vendor(rule: UpdatedRule, due: Due, proposal: Proposal | None) -> Adoption | Reason | None:  # noqa: PLR0911 - one a case
    """Say whether the vendor has executed this update itself, by what it shows now.

    Args:
        rule: just read from the vendor.
        due: the execution.
        proposal: ours, or None where it cannot be computed.

    Returns:
        None: it has not, the update is ours to apply; or it may have, of some prices, and ours, which tells whether the
        others are to change, has to be computed first. `Adoption`: it has, or somebody has set prices since the last
        sight. `Reason`: it cannot be told, and why.
    """
    remote = _remote(rule, due)
    known = {key: price.unit_value for key, price in rule.newest_prices().items() if key in remote}
    shown = [str(value) for value in remote.values()]
    next_date = due.scheduled.remote_execution_date.isoformat()
    match vendor_sign(rule, due, proposal):
        case VendorSign.NOTHING:
            return None
        case VendorSign.READJUSTED:
            return Adoption(remote, known)
        case VendorSign.PRICE_ALONE:
            return Adoption(remote, known, (UNMOVED,))
        case VendorSign.IN_PART:
            return Adoption(remote, known, in_part=True) if proposal is not None else None
        case VendorSign.DATE_ALONE:
            return rule.reason(ReasonKind.VENDOR_DATE_ALONE, due, next_date=next_date, shown=shown)
        case VendorSign.ON_TOP:
            return rule.reason(ReasonKind.VENDOR_ON_TOP, due, shown=shown)
        case VendorSign.CHANGED_LATER:
            return rule.reason(ReasonKind.VENDOR_CHANGED_LATER, due, shown=shown)
        case VendorSign.AHEAD:
            return rule.reason(ReasonKind.VENDOR_AHEAD, due, next_date=next_date)


def vendor_sign(rule: UpdatedRule, due: Due, proposal: Proposal | None) -> VendorSign:
    """Name what the vendor shows about an execution: whether its date has moved past ours, and its price from ours."""
    remote, newest = _remote(rule, due), rule.newest_prices()
    known = {key: newest[key] for key in remote if key in newest}
    moved = due.scheduled.remote_execution_date > due.execution_date
    different = [key for key, price in known.items() if remote[key] != price.unit_value]
    on_top = rule.prices_on_top()
    if not moved and not different:
        return VendorSign.NOTHING
    if not moved and all(on_top.get(key) == remote[key] for key in different):
        return VendorSign.ON_TOP
    if any(price.effective_from > due.execution_date for price in known.values()):
        return VendorSign.CHANGED_LATER
    if moved and _is_ahead(due):
        return VendorSign.AHEAD
    if not any(_left_behind(due, proposal, price, remote[key]) for key, price in known.items()):
        return VendorSign.READJUSTED if moved else VendorSign.PRICE_ALONE
    return VendorSign.IN_PART if different else VendorSign.DATE_ALONE


def _left_behind(due: Due, proposal: Proposal | None, known: KnownPrice, remote: Decimal) -> bool:
    """Whether a price stands at the vendor as it was, though ours would change it, or may for all that is known."""
    taken_over = known.source == "vendor" and known.effective_from == due.execution_date  # by one of the same day
    ours_stays = proposal is not None and proposal.new_prices.get(known.service_id, remote) == remote
    return remote == known.unit_value and not taken_over and not ours_stays


def _remote(rule: UpdatedRule, due: Due) -> Prices:
    """Return the unit values at the vendor of what the update readjusts."""
    keys = readjusted_services(rule.terms.newest, due.scheduled)
    return {key: value for key, value in rule.remote_prices().items() if key in keys}


def _is_ahead(due: Due) -> bool:
    """Whether the vendor is more than one execution ahead."""
    try:
        following = next_execution(domain_update(due.scheduled), due.execution_date)
    except DomainError:
        return False
    return due.scheduled.remote_execution_date > following


def adoption_evidence(adoption: Adoption, due: Due, proposal: Proposal | None, why_not: str | None) -> Payload:
    """Return the evidence of an adoption: the vendor's prices, ours, and the difference."""
    ours = proposal.new_prices if proposal else {}
    evidence = proposal.evidence() if proposal else {"months": [], "accumulated": None, "floored": False}
    warnings = [*evidence.get("warnings", ()), *(each.fact for each in adoption.warnings)]
    if why_not is not None:
        warnings.append(Text(N_("our own computation is missing: {why}"), why=why_not).fact)
    prices = []
    for key, value in adoption.prices.items():
        entry: Payload = {"service_id": key, "old": written(adoption.before.get(key, value)), "new": written(value)}
        prices.append(entry | {"ours": written(ours[key])} if key in ours else entry)
    difference = {str(key): written(value - ours[key]) for key, value in adoption.prices.items() if key in ours}
    vendor = {"execution_date": due.scheduled.remote_execution_date.isoformat(), "difference": difference}
    return {**evidence, "prices": prices, "vendor": vendor, "warnings": warnings}

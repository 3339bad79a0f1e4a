"""What the vendor did by itself: an update it has executed is adopted at its price and never applied again.

The one rule: the vendor's execution date says what the vendor executed, the ledger's says what is settled. Ciclo's own
PUT moves the former not at all; a date that stands still is therefore no sign, one that has moved past ours is.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from ciclo.domain.errors import DomainError
from ciclo.domain.money import brl
from ciclo.domain.pricing import next_execution
from ciclo.jobs.price_updates.proposal import Proposal
from ciclo.jobs.price_updates.standing import Due, Prices, Standing, written
from ciclo.jobs.rules.prices import readjusted_services
from ciclo.jobs.rules.schedules import domain_update
from ciclo.ledger.tables import Payload

UNMOVED = "the vendor's execution date has not moved: make sure that nobody changed the price for another reason"


@dataclass(frozen=True, slots=True)
class Adoption:
    """The vendor's own readjustment: its prices count from the execution date on."""

    prices: Prices
    """Unit values at the vendor of the services that the update readjusts."""
    before: Prices
    """Those in force before."""
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Doubt:
    """Something that a person has to look at, and why."""

    reason: str


@dataclass(frozen=True, slots=True)
class _Signs:
    """What there is to see at the vendor about one execution."""

    standing: Standing
    due: Due
    proposal: Proposal | None

    @property
    def moved(self) -> bool:
        """Whether the vendor's next execution is a later one than ours."""
        return self.due.scheduled.remote_execution_date > self.due.execution_date

    @property
    def remote(self) -> Prices:
        """Unit values at the vendor of what the update readjusts."""
        keys = readjusted_services(self.standing.terms, self.due.scheduled)
        return {key: value for key, value in self.standing.remote_prices().items() if key in keys}

    @property
    def known(self) -> Prices:
        """Unit values in force in the ledger, of the same."""
        newest = self.standing.newest_prices()
        return {key: newest[key].unit_value for key in self.remote if key in newest}

    @property
    def changed(self) -> bool:
        """Whether one of them is another at the vendor."""
        return any(self.remote[key] != value for key, value in self.known.items())

    @property
    def changed_later(self) -> bool:
        """Whether the ledger has a price of them from after the execution date."""
        newest = self.standing.newest_prices()
        return any(newest[key].effective_from > self.due.execution_date for key in self.known)

    @property
    def adopted_today(self) -> bool:
        """Whether another update of the same day has taken the vendor's prices over already."""
        newest = self.standing.newest_prices()
        return all(
            newest[key].source == "vendor" and newest[key].effective_from == self.due.execution_date
            for key in self.known
        )


def vendor_signs(standing: Standing, due: Due, proposal: Proposal | None) -> Adoption | Doubt | None:
    """Say whether the vendor has executed this update itself, by what it shows now.

    Args:
        standing: the rule, just read from the vendor.
        due: the execution.
        proposal: ours, or None where it cannot be computed.

    Returns:
        None: it has not, the update is ours to apply. `Adoption`: it has, or somebody has set the price since the last
        sight. `Doubt`: it cannot be told.
    """
    signs = _Signs(standing, due, proposal)
    if not signs.moved and not signs.changed:
        return None
    doubt = _doubt(signs)
    if doubt is not None:
        return Doubt(f"{standing.place}, update of {due.execution_date}: {doubt}")
    return Adoption(signs.remote, signs.known, () if signs.moved else (UNMOVED,))


def _doubt(signs: _Signs) -> str | None:
    scheduled = signs.due.scheduled
    shown = ", ".join(brl(value) for value in signs.remote.values())
    on_top = signs.standing.prices_on_top()
    if signs.changed and not signs.moved and all(on_top.get(key) == signs.remote[key] for key in _different(signs)):
        return f"the vendor shows {shown} since it readjusted once more than Ciclo; correct the rule at the vendor"
    if signs.changed_later:
        return f"the vendor shows {shown}, and the price was changed after the execution date as well"
    if signs.moved and _skipped(signs):
        return (
            f"the vendor's next execution is {scheduled.remote_execution_date}, more than one later; "
            f"its price of the time between is not known"
        )
    if not signs.changed and not _is_ours(signs) and not signs.adopted_today:
        return (
            f"the vendor moved its execution date to {scheduled.remote_execution_date}, but its price is still {shown}"
        )
    return None


def _different(signs: _Signs) -> list[int]:
    return [key for key, value in signs.known.items() if signs.remote[key] != value]


def _skipped(signs: _Signs) -> bool:
    try:
        following = next_execution(domain_update(signs.due.scheduled), signs.due.execution_date)
    except DomainError:
        return False
    return signs.due.scheduled.remote_execution_date > following


def _is_ours(signs: _Signs) -> bool:
    """Whether our own computation leaves the price as the vendor shows it."""
    if signs.proposal is None:
        return False
    return all(signs.proposal.new_prices.get(key) == value for key, value in signs.remote.items())


def adoption_evidence(adoption: Adoption, due: Due, proposal: Proposal | None, why_not: str | None) -> Payload:
    """Return the evidence of an adoption: the vendor's prices, ours, and the difference."""
    ours = proposal.new_prices if proposal else {}
    evidence = proposal.evidence() if proposal else {"months": [], "accumulated": None, "floored": False}
    warnings = [*evidence.get("warnings", ()), *adoption.warnings]
    if why_not is not None:
        warnings.append(f"our own computation is missing: {why_not}")
    return {
        **evidence,
        "prices": [_price(key, adoption.before, value, ours) for key, value in adoption.prices.items()],
        "vendor": {
            "execution_date": due.scheduled.remote_execution_date.isoformat(),
            "difference": {
                str(key): written(value - ours[key]) for key, value in adoption.prices.items() if key in ours
            },
        },
        "warnings": warnings,
    }


def _price(key: int, before: Mapping[int, Decimal], new: Decimal, ours: Mapping[int, Decimal]) -> Payload:
    old = before.get(key, new)
    entry: Payload = {"service_id": key, "old": written(old), "new": written(new)}
    return {**entry, "ours": written(ours[key])} if key in ours else entry

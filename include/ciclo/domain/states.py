"""The states of a billing period and the changes between them.

The one rule: a change that is not in `TRANSITIONS` is an error. A period that was sent and has no known answer is
never sent again before it is settled.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from ciclo.domain.errors import IllegalTransition


class PeriodState(StrEnum):
    """Where a period stands between being expected and being invoiced."""

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
        _P.PLANNED: (_P.SUBMITTING, _P.WAITING, _P.CANCELLED),  # claimed; a price update is unsettled; the rule ended
        _P.WAITING: (_P.PLANNED,),  # the price update is settled
        _P.SUBMITTING: (_P.ISSUED, _P.IN_DOUBT, _P.PARKED),  # created; answer unknown; refused by the API
        _P.IN_DOUBT: (_P.ISSUED, _P.PLANNED, _P.PARKED),  # found once; certainly not there; found several times
        _P.ISSUED: (),
        _P.PARKED: (_P.PLANNED, _P.CANCELLED),  # by a person only
        _P.CANCELLED: (),
    }
)
"""Legal changes of a period (DESIGN, section 4)."""

SETTLED = frozenset({_P.ISSUED, _P.CANCELLED})
"""States that never change again."""


def check_transition(source: PeriodState, target: PeriodState) -> None:
    """Refuse a change of a period's state that is not legal.

    Raises:
        IllegalTransition: naming both states and what would be legal.
    """
    if target not in TRANSITIONS[source]:
        raise IllegalTransition("period", source, target, TRANSITIONS[source])

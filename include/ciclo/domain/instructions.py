"""What a person lets Ciclo tell the vendor about one invoice or receivable, and where such an instruction is.

An instruction is sent once. One whose answer was lost is looked up at the vendor; a receipt, its undoing and an
approval are sent again once if they are not there, boletos never: the vendor makes them later than it answers.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from ciclo.domain.receivables import ReceivableState


class InstructionKind(StrEnum):
    """What the vendor is told to do."""

    RECEIVE = "receive"
    UNDO_RECEIPT = "undo_receipt"
    CREATE_CHARGE = "create_charge"
    """The boleto of one receivable."""
    CREATE_CHARGES = "create_charges"
    """The boletos of an invoice that has none."""
    APPROVE = "approve"
    BLOCK = "block"

    @property
    def subject(self) -> str:
        """What it is about: `invoice` or `receivable`."""
        return "receivable" if self in (self.RECEIVE, self.UNDO_RECEIPT, self.CREATE_CHARGE) else "invoice"

    @property
    def charges(self) -> bool:
        """Whether it asks for boletos, whose outcome comes later than the answer."""
        return self in (self.CREATE_CHARGE, self.CREATE_CHARGES)


class InstructionState(StrEnum):
    """Where an instruction is."""

    ASKED = "asked"
    SENDING = "sending"
    IN_DOUBT = "in_doubt"
    """Sent, answer unknown."""
    ACCEPTED = "accepted"
    """The vendor has taken it and has not shown it yet."""
    DONE = "done"
    REFUSED = "refused"
    """By the vendor, or because something is not as it was when it was asked for: a person looks."""
    WITHDRAWN = "withdrawn"


UNDER_WAY = (
    InstructionState.ASKED,
    InstructionState.SENDING,
    InstructionState.IN_DOUBT,
    InstructionState.ACCEPTED,
)
"""States of which a receivable or invoice has one at most."""

_R = ReceivableState

FROM: Mapping[InstructionKind, tuple[ReceivableState, ...]] = MappingProxyType(
    {
        InstructionKind.RECEIVE: (_R.TO_RECEIVE,),
        InstructionKind.UNDO_RECEIPT: (_R.RECEIVED,),
        InstructionKind.CREATE_CHARGE: (_R.TO_EMIT, _R.TO_RECEIVE),
        InstructionKind.CREATE_CHARGES: (_R.TO_EMIT, _R.TO_RECEIVE),
        InstructionKind.APPROVE: (_R.TO_EMIT,),
        InstructionKind.BLOCK: (_R.TO_EMIT,),
    }
)
"""States of the invoice or receivable in which each can be carried out."""

REACHED: Mapping[InstructionKind, ReceivableState] = MappingProxyType(
    {InstructionKind.RECEIVE: _R.RECEIVED, InstructionKind.UNDO_RECEIPT: _R.TO_RECEIVE}
)
"""The state to which one leads, where it changes that."""

APPROVAL: Mapping[InstructionKind, str] = MappingProxyType(
    {InstructionKind.APPROVE: "approved", InstructionKind.BLOCK: "blocked"}
)
"""The invoice's approval to which one leads, in the vendor's word, where it changes that."""

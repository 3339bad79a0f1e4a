"""What a webhook says: only ids and the name of the event are taken from it. What has happened is read from the API.

The vendor documents ids as words, and sends numbers or strings: a number in any form is an id; any other word names
nothing that can be read, and the event is recorded without it.
"""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from ciclo.ledger.repositories import ReceivedEvent

NO_ID = 0
"""Stands for the object of an event that names none by a number."""
_LONGEST_WORD = 100


def _read_id(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    word = value.strip()
    if word.lstrip("+-").isdecimal():
        return word
    if len(word) > _LONGEST_WORD or not word.isprintable():
        msg = "is no id"
        raise ValueError(msg)
    return None


Identifier = Annotated[Annotated[int, Field(ge=1, lt=2**63)] | None, BeforeValidator(_read_id)]
Word = Annotated[str, Field(min_length=1, max_length=_LONGEST_WORD, pattern=r"^[^\x00-\x1f\x7f]+$")]
"""A name of the vendor's; a control character is in none, and NUL could not be recorded on PostgreSQL."""


class VendorEvent(BaseModel):
    """An event of an invoice or receivable; the contract's token is not kept."""

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)

    event: Word
    object_type: Word
    object_id: Identifier
    invoice_id: Identifier = None
    contract_id: Identifier = None

    def received(self, request_id: str) -> ReceivedEvent:
        """Return the event in the form that the ledger records; an invoice's own event is about that invoice."""
        about = self.object_id if self.object_type.casefold() == "invoice" else self.invoice_id
        return ReceivedEvent(
            request_id=request_id,
            event=self.event,
            object_type=self.object_type,
            object_id=self.object_id or NO_ID,
            invoice_id=about,
            contract_id=self.contract_id,
        )


def read_event(document: Any) -> VendorEvent:
    """Read a webhook's body. An event of a contract alone (`change_plan`) is about its plan.

    Raises:
        ValidationError: It is no event.
    """
    if isinstance(document, dict) and document.get("event") == "change_plan":
        document = {"object_type": "Plan", "object_id": document.get("plan_id"), **document}
    return VendorEvent.model_validate(document)


def is_probe(document: Any) -> bool:
    """Whether a body is the vendor's test of reachability, `{"test": true}`, sent before each delivery."""
    return isinstance(document, dict) and document.get("test") is True and "event" not in document

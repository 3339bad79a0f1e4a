"""What a webhook says (REFERENCE, "Webhooks").

The one rule: only ids and the name of the event are taken from it. What has happened is read from the API.
"""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from ciclo.ledger.repositories import ReceivedEvent

Identifier = Annotated[int, Field(ge=1, lt=2**63)]
Word = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f\x7f]+$")]
"""A name of the vendor's; a control character is in none, and NUL could not be recorded on PostgreSQL."""


class VendorEvent(BaseModel):
    """An event of an invoice or receivable; the contract's token is not kept."""

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)

    event: Word
    object_type: Word
    object_id: Identifier
    invoice_id: Identifier | None = None
    contract_id: Identifier | None = None

    def received(self, request_id: str) -> ReceivedEvent:
        """Return the event in the form that the ledger records; an invoice's own event is about that invoice."""
        about = self.object_id if self.object_type.casefold() == "invoice" else self.invoice_id
        return ReceivedEvent(
            request_id=request_id,
            event=self.event,
            object_type=self.object_type,
            object_id=self.object_id,
            invoice_id=about,
            contract_id=self.contract_id,
        )


def is_probe(document: Any) -> bool:
    """Whether a body is the vendor's test of reachability, `{"test": true}`: it says nothing and changes nothing."""
    return isinstance(document, dict) and document.get("test") is True and "event" not in document

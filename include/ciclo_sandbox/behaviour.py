"""How the sandbox plays the outside world: customers who pay, systems that fail, a receiver of webhooks.

The rule: nothing moves unless the state says so, and the same seed plays the same year again.
"""

import hashlib
from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Share = Annotated[float, Field(ge=0, le=1)]
Month = Annotated[str, Field(pattern=r"^\d{4}-(0[1-9]|1[0-2])$")]


class Payment(BaseModel):
    """A share of the receivables is paid so many days after the due date (before it, if negative)."""

    model_config = ConfigDict(extra="forbid")

    share: Share = Field(description="Part of the receivables, from 0 to 1.")
    days_after_due: int = Field(default=0, ge=-365, le=3650, description="Days between due date and receipt.")


class WebhookTarget(BaseModel):
    """Where webhooks go."""

    model_config = ConfigDict(extra="forbid")

    url: str = Field(pattern=r"^https?://", description="Receiver; loopback in tests.")
    secret: str = Field(default="", description="Key of the HMAC-SHA1 signature.")
    request_id_header: str = Field(default="X-Billimatic-Request-Id", description="Header of the request's id.")
    signature_header: str = Field(default="X-Billimatic-Signature", description="Header of the signature.")
    lost: Share = Field(default=0.0, description="Part of the events that are never sent.")
    attempts: int = Field(default=3, ge=1, le=10, description="Tries until a 2xx.")
    retry_seconds: float = Field(default=0.2, ge=0, le=60, description="Pause before the second try; it doubles.")


class Behaviour(BaseModel):
    """The `behaviour` of the state file."""

    model_config = ConfigDict(extra="forbid")

    emit_on_issue_date: bool = Field(default=False, description="Approved invoices are issued when their date comes.")
    payments: list[Payment] = Field(default_factory=list, description="How customers pay; the rest never does.")
    seed: int = Field(default=1, description="Seed of every choice.")
    charge_errors: Share = Field(default=0.0, description="Part of the receivables whose charge cannot be created.")
    finance_errors: Share = Field(default=0.0, description="Part of the receivables that the finance system refuses.")
    apply_scheduled_updates: bool = Field(default=False, description="The vendor readjusts prices by itself.")
    price_indices: dict[str, dict[Month, Decimal | None]] = Field(
        default_factory=dict,
        description="By index and YYYY-MM, values that SGS answers instead of the shipped ones; null: not out.",
    )
    webhook: WebhookTarget | None = Field(default=None, description="Receiver of webhooks.")

    def draw(self, purpose: str, number: int) -> float:
        """Return a number in [0, 1) that depends on the seed, the purpose and an id alone."""
        digest = hashlib.blake2b(f"{self.seed}:{purpose}:{number}".encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big") / 2**64

"""The `behaviour` of a state: how the vendor's own machinery, its customers and the people at it act.

Nothing moves unless the state says so, but for the generation of a rule's invoices, which is what the vendor does. What
nobody outside knows of the vendor is a switch here; docs/sandbox.md gives each default with its reason. The same seed
plays the same year again.
"""

import hashlib
from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Literal, Protocol, TypeVar
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

from ciclo_sandbox.parsing import Words

Share = Annotated[float, Field(ge=0, le=1)]
Month = Annotated[str, Field(pattern=r"^\d{4}-(0[1-9]|1[0-2])$")]
HeaderName = Annotated[str, Field(pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")]
Deed = Literal["append_description", "change_value", "move_date", "bill_late", "delete", "cancel_and_copy", "split"]


class _Shared(Protocol):
    share: float


Drawn = TypeVar("Drawn", bound=_Shared)


class Payment(BaseModel):
    """A share of the receivables is paid so many days after the due date (before it, if negative)."""

    model_config = ConfigDict(extra="forbid")

    share: Share = Field(description="Part of the receivables, from 0 to 1.")
    days_after_due: int = Field(default=0, ge=-365, le=3650, description="Days between due date and receipt.")


class Person(BaseModel):
    """Somebody at the vendor's screens who does one thing to a share of the invoices about to be issued."""

    model_config = ConfigDict(extra="forbid")

    share: Share = Field(description="Part of the invoices, from 0 to 1.")
    do: Deed = Field(description="What is done to them.")


class WebhookTarget(BaseModel):
    """Where webhooks go."""

    model_config = ConfigDict(extra="forbid")

    url: str = Field(pattern=r"^https?://[!-~]+$", description="Receiver; loopback in tests.")
    secret: Words = Field(default="", description="Key of the HMAC-SHA1 signature.")
    request_id_header: HeaderName = Field(default="X-Billimatic-RequestId", description="Header of the request's id.")
    signature_header: HeaderName = Field(default="X-Billimatic-Signature", description="Header of the signature.")
    lost: Share = Field(default=0.0, description="Part of the events that are never sent.")

    @field_validator("url")
    @classmethod
    def _names_a_host(cls, url: str) -> str:
        if not urlsplit(url).hostname or urlsplit(url).port == 0:  # both raise a ValueError where they cannot be read
            message = "names no host or port that anything can be sent to"
            raise ValueError(message)
        return url


class Behaviour(BaseModel):
    """The `behaviour` of the state file."""

    model_config = ConfigDict(extra="forbid")

    shape: Literal[2018, 2026] = Field(default=2026, description="Year whose answers the API gives.")
    seed: int = Field(default=1, description="Seed of every choice.")

    generate_invoices: bool = Field(default=True, description="A rule created over the API generates its invoices.")
    extend_generated: bool = Field(default=False, description="On the 1st, endless rules generate up to the horizon.")
    generate_when_inactive: bool = Field(default=True, description="Rules of inactive contracts generate as well.")
    on_schedule_changed: Literal["follow", "keep"] = Field(
        default="follow", description="Whether invoices not yet issued follow a rule's new dates, or keep theirs."
    )
    on_rule_deleted: Literal["keep", "delete_to_emit"] = Field(
        default="keep", description="What becomes of a deleted rule's invoices that are not yet issued."
    )
    keep_hand_edits: bool = Field(default=True, description="A rule's change leaves alone what was edited by hand.")
    readjust: bool = Field(default=False, description="The vendor readjusts prices itself on the execution date.")
    readjust_window: Literal["out_on_13th", "published"] = Field(
        default="out_on_13th", description="Last month of an own readjustment: every index's 13th, or its own calendar."
    )

    emit_on_issue_date: bool = Field(default=False, description="Approved invoices are issued when their date comes.")
    bill_on_business_days: bool = Field(default=False, description="They are issued on the next business day.")
    wait_while_overdue: bool = Field(default=False, description="Automatic billing waits for an overdue customer.")
    payments: list[Payment] = Field(default_factory=list, description="How customers pay; the rest never does.")
    people: list[Person] = Field(default_factory=list, description="Who works on invoices before they are issued.")
    charge_errors: Share = Field(default=0.0, description="Part of the receivables whose charge cannot be created.")
    finance_errors: Share = Field(default=0.0, description="Part of the receivables that the finance system refuses.")
    nfse_errors: Share = Field(default=0.0, description="Part of the NFS-e that the city refuses.")
    price_indices: dict[str, dict[Month, Decimal | None]] = Field(
        default_factory=dict,
        description="By index and YYYY-MM, values that SGS answers instead of the shipped ones; null: not out.",
    )
    continue_series: bool = Field(
        default=False, description="After the last shipped month SGS answers each month's value of the year before."
    )
    webhook: WebhookTarget | None = Field(default=None, description="Receiver of webhooks.")

    def draw(self, purpose: str, number: int) -> float:
        """Return a number in [0, 1) that depends on the seed, the purpose and an id alone."""
        digest = hashlib.blake2b(f"{self.seed}:{purpose}:{number}".encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big") / 2**64

    def pick(self, purpose: str, number: int, among: Sequence[Drawn]) -> Drawn | None:
        """Return which of `among` an id falls to by their shares, or nothing: it falls to none of them."""
        drawn = self.draw(purpose, number)
        for each in among:
            if drawn < each.share:
                return each
            drawn -= each.share
        return None

    def days(self, purpose: str, number: int, least: int, most: int) -> int:
        """Return a number of days between two, both included, that depends on the seed and an id alone."""
        return least + int(self.draw(f"{purpose} days", number) * (most - least + 1))

"""How a state is shown: a word, a shape and a colour, so that none of them carries the meaning alone.

The one rule: every state of the ledger has its own shape; a state that is not listed here is shown as its own word.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mark:
    """A state's word for people, the symbol of `icons.svg` that stands for it, its colour class, and what it means."""

    label: str
    icon: str
    tone: str
    meaning: str = ""


MARKS = {
    "planned": Mark(
        "Planned", "circle", "planned", "Expected; its issue date has not come, or no run has taken it yet."
    ),
    "waiting": Mark("Waiting", "pause", "waiting", "Waits for a price update of its rule."),
    "submitting": Mark("Submitting", "up", "running", "A run holds it and is sending it."),
    "in_doubt": Mark("In doubt", "question", "doubt", "Sent, answer unknown: never sent again before it is settled."),
    "issued": Mark("Issued", "check", "success", "Exactly one invoice exists."),
    "parked": Mark("Parked", "hand", "failed", "Stopped for a person."),
    "cancelled": Mark("Cancelled", "cross", "muted", "Will not be invoiced."),
    "to_emit": Mark("To emit", "circle", "planned"),
    "to_receive": Mark("To receive", "clock", "running"),
    "received": Mark("Received", "check", "success"),
    "late": Mark("Late", "alert", "failed"),
    "proposed": Mark("Proposed", "question", "doubt"),
    "applied": Mark("Applied", "check", "success"),
    "adopted": Mark("Adopted", "check-double", "success"),
    "open": Mark("Open", "alert", "failed"),
    "acknowledged": Mark("Acknowledged", "eye", "running"),
    "closed": Mark("Closed", "check", "success"),
    "active": Mark("Active", "check", "success"),
    "inactive": Mark("Inactive", "cross", "muted"),
}


def mark(state: str) -> Mark:
    """Return how a state is shown."""
    return MARKS.get(state) or Mark(state.replace("_", " ").capitalize(), "circle", "muted")

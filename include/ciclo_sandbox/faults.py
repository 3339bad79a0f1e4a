"""Faults: requests that go wrong on purpose.

The rule: a fault's choices come from its own seed and the order of the requests that match it, from nothing else.
"""

import random
import re
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, field_validator

Kind = Literal[
    "error_before",
    "error_after",
    "timeout_before",
    "timeout_after",
    "reset_before",
    "reset_after",
    "rate_limit",
    "slow",
    "malformed",
    "late_commit",
    "truncated_page",
]


class Fault(BaseModel):
    """One fault: which requests it strikes, how, and how often."""

    model_config = ConfigDict(extra="forbid")

    kind: Kind = Field(description="What happens; docs/sandbox.md has the table.")
    method: str | None = Field(default=None, description="HTTP method; null: any.")
    path: str = Field(default=".*", description="Regular expression, searched in the path.")
    probability: float = Field(default=1.0, ge=0, le=1, description="Chance that a matching request is struck.")
    count: int | None = Field(default=None, ge=0, description="Strikes before it is spent; null: never.")
    seed: int = Field(default=1, description="Seed of the chances.")
    seconds: float | None = Field(default=None, ge=0, le=3600, description="Duration, or Retry-After.")
    status: int = Field(default=500, ge=400, le=599, description="Status of error_before and error_after.")
    _random: random.Random = PrivateAttr()

    @field_validator("path")
    @classmethod
    def _compiles(cls, path: str) -> str:
        try:
            re.compile(path)
        except re.error as error:
            message = f"not a regular expression: {error}"
            raise ValueError(message) from error
        return path

    def model_post_init(self, _context: Any) -> None:
        """Start the fault's own chances."""
        self._random = random.Random(self.seed)  # noqa: S311 - reproducible, not secret

    def strikes(self, method: str, path: str) -> bool:
        """Tell whether this request is struck, and count it."""
        if self.count == 0 or not self._matches(method, path) or self._random.random() >= self.probability:
            return False
        if self.count is not None:
            self.count -= 1
        return True

    def _matches(self, method: str, path: str) -> bool:
        return (self.method is None or self.method.upper() == method) and re.search(self.path, path) is not None


class Faults:
    """The faults in force; the first that strikes decides."""

    def __init__(self) -> None:
        self.active: list[Fault] = []

    def striking(self, method: str, path: str) -> Fault | None:
        """Return the fault that strikes this request, if one does."""
        return next((fault for fault in self.active if fault.strikes(method, path)), None)

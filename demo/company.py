"""The made-up company of the demonstration, as the vendor holds it: a sandbox state file, the same at every run."""

import json
from datetime import date
from pathlib import Path
from typing import Any, Final

Json = dict[str, Any]

FILE: Final = Path(__file__).with_name("company.json")
YEAR_START: Final = date(2025, 1, 1)
YEAR_END: Final = date(2025, 12, 31)
COLLECTED_BY: Final = date(2026, 1, 31)
"""The day up to which customers pay: what was issued in December is due by then."""


def company() -> Json:
    """Return the company in the state file's shape."""
    state: Json = json.loads(FILE.read_text(encoding="utf-8"))
    return state


ORGANIZATION_ID: Final[int] = company()["organizations"][0]["id"]
TOKEN: Final[str] = company()["token"]
"""Opens nothing but the sandbox on loopback."""

"""What the vendor holds, as the sandbox's control plane shows it: the demonstration's only witness.

Read only; nothing of Ciclo's own is asked.
"""

from typing import Any

import httpx

Json = dict[str, Any]


class VendorView:
    """The sandbox at `url`."""

    def __init__(self, url: str) -> None:
        self._url = url

    def is_up(self) -> bool:
        """Tell whether it answers."""
        try:
            return httpx.get(f"{self._url}/_sandbox/clock", timeout=5, trust_env=False).is_success
        except httpx.HTTPError:
            return False

    def state(self) -> Json:
        """Return everything that the vendor holds, in the state file's shape."""
        answer = httpx.get(f"{self._url}/_sandbox/state", timeout=60, trust_env=False).raise_for_status()
        state: Json = answer.json()
        return state

    def invoice_ids(self) -> set[int]:
        """Return the ids of all invoices there are."""
        return {invoice["id"] for invoice in self.state()["invoices"]}

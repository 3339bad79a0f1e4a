"""Failpoints: named places in the billing protocol at which a test may end or stop the process.

Without `CICLO_FAILPOINTS` in the environment when the process starts, reaching one does nothing. The
places, and what must happen after a crash at each, are the table in docs/reliability.md; a test holds the two together.

`CICLO_FAILPOINTS` is a list of `NAME=ACTION[@HIT][:LATCH]`, separated by `;`:

```
issue.claimed=kill@3                 SIGKILL this process when it reaches the place for the third time
issue.posted=kill@2:/tmp/once        the same, but only in the first process that gets there and creates the file
settle.looked=raise                  raise FailpointReached
issue.posting=pause2.5               wait 2.5 seconds, every time
```
"""

import os
import re
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

VARIABLE: Final = "CICLO_FAILPOINTS"

POINTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "issue.claiming": "periods are claimed, the claim is not committed",
        "issue.claimed": "the claim is committed, nothing is sent",
        "issue.posting": "one invoice is about to be sent",
        "issue.posted": "the vendor has answered, nothing is recorded",
        "issue.recording": "answers are written to the ledger and not committed",
        "issue.recorded": "answers are recorded and committed",
        "settle.abandoned": "claims of dead runs are in doubt, committed",
        "settle.looked": "the vendor was read for what is in doubt, nothing is changed",
        "settle.settling": "what is in doubt is settled and not committed",
        "settle.settled": "what is in doubt is settled, committed",
        "adopt.looked": "the vendor was read for what is planned, nothing is changed",
        "adopt.adopting": "what was there is adopted and not committed",
        "adopt.adopted": "what was there is adopted, committed",
        "stamp.patching": "one adopted invoice is about to get its reference",
        "stamp.patched": "the vendor has answered the references, nothing is recorded",
        "finish.settled": "a run's doubts are settled, what came back is not sent",
        "adjust.read": "invoices that lack adjustments were read, nothing is changed",
        "adjust.claiming": "corrections are claimed, the claim is not committed",
        "adjust.claimed": "the claim of corrections is committed, nothing is sent",
        "adjust.patching": "one correction is about to be sent",
        "adjust.patched": "the vendor has answered a correction, nothing is recorded",
        "adjust.recording": "corrections are written to the ledger and not committed",
        "adjust.recorded": "corrections are recorded and committed",
        "adjust.begun": "a difference to bill by itself is claimed, committed, its rule is not sent",
        "adjust.created": "the vendor has answered such a rule, nothing is read or recorded",
        "update.claimed": "a price update is claimed, committed, nothing is sent",
        "update.put": "the vendor has answered the new price, nothing is recorded",
        "update.repriced": "invoices that were there are at the new price, nothing is recorded",
        "update.recording": "a price update is written to the ledger and not committed",
        "update.recorded": "a price update is recorded and committed",
        "letter.claimed": "a letter is claimed, committed, nothing is handed over",
        "letter.posted": "the mail server has taken a letter, nothing is recorded",
        "instruct.looked": "the vendor was read for an instruction in doubt, nothing is changed",
        "instruct.claimed": "an instruction is claimed, committed, nothing is sent",
        "instruct.sending": "the vendor was read for an instruction, it is about to be sent",
        "instruct.sent": "the vendor has answered an instruction, nothing is read back or recorded",
        "instruct.recording": "an instruction is written to the ledger and not committed",
        "instruct.recorded": "an instruction is recorded and committed",
        "update.abandoned": "price updates of dead runs are in doubt, committed",
        "update.looked": "the vendor's rules were read for what is in doubt, nothing is changed",
    }
)
"""Every failpoint by name, with the state of things at that moment."""

_SPEC: Final = re.compile(
    r"(?P<name>[a-z_.]+)=(?P<action>kill|raise|pause(?P<seconds>\d+(\.\d+)?))(@(?P<hit>\d+))?(:(?P<latch>.+))?"
)


class FailpointReached(BaseException):
    """A failpoint ended this run; not an `Exception`, so that nothing on the way handles it."""


class UnknownFailpoint(ValueError):
    """`CICLO_FAILPOINTS` names a place or an action that does not exist."""

    def __init__(self, spec: str) -> None:
        super().__init__(f"{VARIABLE}: {spec!r} is not NAME=ACTION[@HIT][:LATCH] with one of {', '.join(POINTS)}")


@dataclass(frozen=True, slots=True)
class _Trap:
    """What happens at one failpoint."""

    action: str
    seconds: float = 0.0
    hit: int | None = None
    latch: Path | None = None

    def spring(self, name: str, hits: int) -> None:
        if (self.hit is not None and hits != self.hit) or not self._is_first():
            return
        if self.action == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.action == "raise":
            raise FailpointReached(name)
        time.sleep(self.seconds)

    def _is_first(self) -> bool:
        if self.latch is None:
            return True
        try:
            self.latch.touch(exist_ok=False)
        except FileExistsError:
            return False
        return True


class _Traps:
    """The failpoints of this process that do something; counts how often each was reached, over all threads."""

    def __init__(self, traps: Mapping[str, _Trap]) -> None:
        self._traps = traps
        self._hits: Counter[str] = Counter()
        self._lock = threading.Lock()

    def __call__(self, name: str) -> None:
        trap = self._traps.get(name)
        if trap is None:
            return
        with self._lock:
            self._hits[name] += 1
            hits = self._hits[name]
        trap.spring(name, hits)


def failpoint(name: str) -> None:
    """Say that the protocol has reached the place `name`; does nothing unless the environment asks for more."""
    if _at_failpoint is not None:
        _at_failpoint(name)


def parse(specs: str) -> Callable[[str], None] | None:
    """Read the value of `CICLO_FAILPOINTS`; None if it is empty.

    Raises:
        UnknownFailpoint: naming the part that cannot be read.
    """
    traps: dict[str, _Trap] = {}
    for spec in filter(None, (part.strip() for part in specs.split(";"))):
        found = _SPEC.fullmatch(spec)
        if found is None or found["name"] not in POINTS:
            raise UnknownFailpoint(spec)
        traps[found["name"]] = _Trap(
            action="pause" if found["seconds"] else found["action"],
            seconds=float(found["seconds"] or 0),
            hit=int(found["hit"]) if found["hit"] else None,
            latch=Path(found["latch"]) if found["latch"] else None,
        )
    return _Traps(traps) if traps else None


_at_failpoint: Callable[[str], None] | None = parse(os.environ.get(VARIABLE, ""))

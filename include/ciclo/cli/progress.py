"""How far a long command is, for whoever waits at a terminal."""

import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from ciclo.locale import N_, _

if TYPE_CHECKING:
    from ciclo.jobs.audit.read import Progress

REQUESTS = N_("{what}: {made} requests made, {left} left, about {minutes} min")
DAYS = N_("{what}: {made} days played, {left} left, about {minutes} min")
BAR = 30
"""Characters of the progress bar."""


def progress_bar(wording: str = REQUESTS) -> "Callable[[Progress], None]":
    """Return what shows on a terminal how far a command is; nothing where nobody looks."""
    started = time.monotonic()

    def show(progress: "Progress") -> None:
        total = progress.made + progress.left
        filled = BAR * progress.made // max(total, 1)
        minutes = progress.left * (time.monotonic() - started) / max(progress.made, 1) / 60
        text = _(wording).format(what=progress.what, made=progress.made, left=progress.left, minutes=round(minutes))
        sys.stderr.write(f"\r[{'#' * filled}{'.' * (BAR - filled)}] {text:<70}" + ("" if progress.left else "\n"))
        sys.stderr.flush()

    return show if sys.stderr.isatty() else lambda _progress: None

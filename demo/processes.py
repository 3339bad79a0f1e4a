"""The demonstration's child processes: started with a log file each, watched, and ended together by the guardian.

The rule here: nothing outlives the demonstration. Every child carries the run's mark; `demo.guardian` ends the
marked ones when the demonstration closes its end of the pipe, on purpose or by dying.
"""

import subprocess
import sys
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from demo.errors import StepFailed
from demo.guardian import MARK_VARIABLE

GRACE_SECONDS: Final = 5.0
"""Airflow's scheduler takes up to this long; its triggerer would wait ten for a runner that does not listen."""


@dataclass(frozen=True, slots=True)
class Child:
    """A running child: what a person calls it, its process, its log."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path


class Processes:
    """The children of one run, ended together when the `with` block is left."""

    def __init__(self, log_folder: Path, *, grace_seconds: float = GRACE_SECONDS) -> None:
        self._log_folder = log_folder
        self._grace_seconds = grace_seconds
        self._mark = uuid.uuid4().hex
        self._children: list[Child] = []

    def __enter__(self) -> Self:
        self._guardian = subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, "-m", "demo.guardian", self._mark, str(self._grace_seconds)],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._guardian.stdin:
            self._guardian.stdin.close()
        self._guardian.wait()
        for child in self._children:
            child.process.wait()

    def start(self, name: str, arguments: Sequence[str], environment: Mapping[str, str]) -> Child:
        """Start `python -m …arguments` in the background with its output in a log of its own."""
        log = self._log_folder / f"{name.lower().replace(' ', '-')}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(  # noqa: S603 - our own commands
                [sys.executable, "-m", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**environment, MARK_VARIABLE: self._mark, "SPT_NOENV": "1"},  # process titles spare the mark
                start_new_session=True,  # the terminal's Ctrl-C is ours to handle
            )
        child = Child(name, process, log)
        self._children.append(child)
        return child

    def finish(self, child: Child, seconds: float) -> None:
        """Wait for a child that does one thing and ends.

        Raises:
            StepFailed: it ended with an error, or not within `seconds`.
        """
        try:
            code = child.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise StepFailed(child.name, f"not done after {seconds:.0f} seconds", child.log) from None
        if code != 0:
            raise StepFailed(child.name, f"ended with exit code {code}", child.log)

    def check(self) -> None:
        """Refuse to go on if a child has died.

        Raises:
            StepFailed: naming it and its log.
        """
        for child in self._children:
            if child.process.poll():
                raise StepFailed(child.name, f"stopped with exit code {child.process.returncode}", child.log)

"""The demonstration's child processes: a log file each, watched, and ended together, however the demonstration ends.

Every child carries the run's mark in its environment. A watcher (`python -m demo.processes MARK SECONDS`) holds the
other end of a pipe; when that closes, by a normal end, Ctrl-C or a crash, it ends the marked processes alone.
"""

import subprocess
import sys
import time
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import psutil

from demo.site import StepFailed

MARK_VARIABLE: Final = "CICLO_DEMO_RUN"


def marked_processes(mark: str) -> list[psutil.Process]:
    """Return the living processes of this user whose environment carries `mark`; zombies are not alive."""
    return [process for process in psutil.process_iter() if _carries(process, mark)]


def end_marked(mark: str, grace_seconds: float) -> None:
    """Ask the marked processes to stop, from the top; after `grace_seconds` kill those that are still there."""
    for process in _topmost(marked_processes(mark)):
        with suppress(psutil.Error):
            process.terminate()
    deadline = time.monotonic() + grace_seconds
    while (alive := marked_processes(mark)) and time.monotonic() < deadline:
        time.sleep(0.1)
    while alive:
        for process in alive:
            with suppress(psutil.Error):
                process.kill()
        time.sleep(0.1)
        alive = marked_processes(mark)


def _carries(process: psutil.Process, mark: str) -> bool:
    try:
        return process.environ().get(MARK_VARIABLE) == mark and process.status() != psutil.STATUS_ZOMBIE
    except (psutil.Error, OSError):
        return False


def _topmost(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Return those whose parent is not among them: a parent stops its own children in its own order."""
    ids = {process.pid for process in processes}
    topmost = []
    for process in processes:
        with suppress(psutil.Error):
            if process.ppid() not in ids:
                topmost.append(process)
    return topmost


def main(mark: str, grace_seconds: str) -> None:
    """Wait until the demonstration is gone, then end what it left."""
    sys.stdin.read()
    end_marked(mark, float(grace_seconds))


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
        self._watcher = subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, "-m", "demo.processes", self._mark, str(self._grace_seconds)],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._watcher.stdin:
            self._watcher.stdin.close()
        self._watcher.wait()
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


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])

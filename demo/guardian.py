"""The guardian: a process that ends everything the demonstration started, however the demonstration itself ended.

The rule here: whoever carries the run's mark in its environment is ours, and nobody else is touched. The guardian reads
its standard input, which the demonstration holds open; when that closes, by a normal end, Ctrl-C or a crash, it asks
the marked processes to stop, waits, and kills what is left. To start it: `python -m demo.guardian MARK SECONDS`.
"""

import sys
import time
from contextlib import suppress
from typing import Final

import psutil

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


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])

"""What can go wrong in a demonstration: one class, because the remedy is always the same, read the log it names."""

import json
from pathlib import Path

TAIL_LINES = 25


class StepFailed(Exception):
    """A step of the demonstration did not come off. `log` is the file that tells why, if there is one."""

    def __init__(self, step: str, why: str, log: Path | None = None) -> None:
        super().__init__(f"{step}: {why}")
        self.step = step
        self.why = why
        self.log = log

    def tail(self) -> list[str]:
        """Return the last lines of the log, Airflow's JSON entries made readable; empty if there is no log."""
        if self.log is None or not self.log.is_file():
            return []
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        readable = [part for line in lines for part in _readable(line)]
        return readable[-TAIL_LINES:]


def _readable(line: str) -> list[str]:
    """Return a task log's JSON entry as text with its exceptions; any other line as it is."""
    try:
        entry = json.loads(line)
    except ValueError:
        return [line]
    if not isinstance(entry, dict):
        return [line]
    causes = [f"  {cause.get('exc_type')}: {cause.get('exc_value')}" for cause in entry.get("error_detail") or ()]
    return [f"{entry.get('level', '')} {entry.get('event', '')}".strip(), *causes]

"""The folder of a demonstration, `.demo/` in the checkout: fresh for every run, owned by one run at a time.

The rule here: everything that a run writes is below this folder, and nothing else is ever deleted.
"""

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import ciclo
from demo.errors import StepFailed

FOLDER: Final = ".demo"
LOCK: Final = "lock"


@dataclass(frozen=True, slots=True)
class Site:
    """Where a run finds the project and keeps its own files."""

    project: Path
    folder: Path

    @property
    def airflow_home(self) -> Path:
        """AIRFLOW_HOME of the run."""
        return self.folder / "airflow"

    @property
    def logs(self) -> Path:
        """One log per child process."""
        return self.folder / "logs"

    @property
    def state_file(self) -> Path:
        """The company that the sandbox starts from."""
        return self.folder / "company.json"

    @property
    def reports(self) -> Path:
        """The reports of the closed months."""
        return self.folder / "reports"

    @property
    def environment_file(self) -> Path:
        """What a shell sources to use the `airflow` and `ciclo` commands on this run."""
        return self.folder / "environment.sh"

    @property
    def ledger_url(self) -> str:
        """The run's ledger."""
        return f"sqlite:///{self.folder / 'ledger.db'}"


@contextmanager
def fresh_site(project: Path | None = None) -> Iterator[Site]:
    """Yield an empty `.demo/` of the project, locked against a second run.

    Raises:
        StepFailed: there are no Dags here, or another run is using the folder.
    """
    root = project or project_folder()
    folder = root / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    with (folder / LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StepFailed("Preparing", f"another demonstration is running in {folder}; end it first") from None
        site = Site(root, folder)
        _empty(folder)
        site.logs.mkdir()
        site.airflow_home.mkdir()
        yield site


def project_folder() -> Path:
    """Return the checkout: the current folder if it has the Dags, else the one this package was installed from.

    Raises:
        StepFailed: neither has them.
    """
    for folder in (Path.cwd(), Path(ciclo.__file__).resolve().parents[2]):
        if (folder / "dags" / "bill_range.py").is_file():
            return folder
    raise StepFailed("Preparing", "dags/bill_range.py is not here; run this in a checkout of Ciclo")


def _empty(folder: Path) -> None:
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        elif entry.name != LOCK:
            entry.unlink()

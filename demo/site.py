"""The folder of a demonstration, `.demo/` in the checkout, and the Airflow that is set up in it.

Everything that a run writes is below this folder, fresh for every run and locked against a second one. Nothing is taken
over from an Airflow that the person may have: whatever matters is said in `airflow.cfg` and in the environment.
"""

import base64
import configparser
import fcntl
import json
import os
import secrets
import shlex
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import ciclo
from demo.company import ORGANIZATION_ID, TOKEN

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


FOLDER: Final = ".demo"
LOCK: Final = "lock"


@dataclass(frozen=True, slots=True)
class Site:
    """Where a run finds the project and keeps its own files."""

    project: Path
    folder: Path

    @classmethod
    def laid_out(cls, project: Path, folder: Path) -> Self:
        """Return a site whose own folders are made."""
        site = cls(project, folder)
        site.logs.mkdir()
        site.airflow_home.mkdir()
        return site

    @property
    def airflow_home(self) -> Path:
        """AIRFLOW_HOME of the run."""
        return self.folder / "airflow"

    @property
    def airflow_database(self) -> Path:
        """Airflow's metadata."""
        return self.airflow_home / "airflow.db"

    @property
    def logs(self) -> Path:
        """One log per child process."""
        return self.folder / "logs"

    @property
    def state_file(self) -> Path:
        """What the vendor's stand-in starts from."""
        return self.folder / "company.json"

    @property
    def reports(self) -> Path:
        """The reports of the closed months."""
        return self.folder / "reports"

    @property
    def metering_file(self) -> Path:
        """What was measured in the year, as the company's metering exports it."""
        return self.folder / "metering.csv"

    @property
    def proof_file(self) -> Path:
        """The figures of the proof."""
        return self.folder / "proof.json"

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
        _empty(folder)
        yield Site.laid_out(root, folder)


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


LOOPBACK: Final = "127.0.0.1"
MOST_TASKS_AT_ONCE: Final = 4
"""SQLite as metadata database takes a few tasks at once gladly, and dozens not at all: they end in locks."""
LOCAL_SETTINGS: Final = Path(__file__).resolve().parents[1] / "deploy" / "airflow_local_settings.py"


def write_configuration(
    site: Site, port: int, *, by_schedule: bool = True, roles: Mapping[str, str] | None = None
) -> None:
    """Write `airflow.cfg` for a run on `port`, readable by its owner only as it holds the run's keys.

    Without `by_schedule` Dags run when they are told to and at no other time. With `roles`, user names to roles of the
    simple auth manager, these people log in and nobody else gets in; without, everybody is an administrator.
    """
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_dict(_configuration(site, port, by_schedule=by_schedule))
    parser.read_dict({"core": _login(site, roles or {})})
    with _private(site.airflow_home / "airflow.cfg").open("w", encoding="utf-8") as file:
        parser.write(file)
    (site.airflow_home / "config").mkdir(exist_ok=True)
    shutil.copy(LOCAL_SETTINGS, site.airflow_home / "config")


def airflow_environment(site: Site, sandbox_url: str) -> dict[str, str]:
    """Return the environment of the run's processes: the person's own, without any setting of Airflow or Ciclo."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "CICLO_"))}
    loopback = {"NO_PROXY": LOOPBACK, "no_proxy": LOOPBACK}
    return {**inherited, **loopback, **_settings(site, sandbox_url)}


def write_environment_file(site: Site, sandbox_url: str) -> None:
    """Write what a shell has to source to use `airflow` and `ciclo` on this run."""
    lines = [f"export {name}={shlex.quote(value)}" for name, value in _settings(site, sandbox_url).items()]
    lines.append(f"export PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH")
    _private(site.environment_file).write_text("\n".join(lines) + "\n", encoding="utf-8")


def passwords(site: Site) -> dict[str, str]:
    """Return the passwords that Airflow's API server made up for the users of `roles` when it started."""
    made_up: dict[str, str] = json.loads(_passwords_file(site).read_text(encoding="utf-8"))
    return made_up


def _settings(site: Site, sandbox_url: str) -> dict[str, str]:
    return {
        "AIRFLOW_HOME": str(site.airflow_home),
        "AIRFLOW_CONN_BILLIMATIC_DEFAULT": json.dumps(_connection(sandbox_url)),
        "CICLO_LEDGER_URL": site.ledger_url,
        "CICLO_REPORTS_DIR": str(site.reports),
        "CICLO_SHARDS": "1",  # on two cores the start of a further process costs more than it takes off
        "CICLO_SGS_URL": sandbox_url,
    }


def _connection(sandbox_url: str) -> dict[str, object]:
    return {
        "conn_type": "billimatic",
        "host": sandbox_url,
        "password": TOKEN,
        "extra": {"organization_id": ORGANIZATION_ID, "requests_per_second": 0},
    }


def _configuration(site: Site, port: int, *, by_schedule: bool) -> Mapping[str, Mapping[str, str]]:
    url = f"http://{LOOPBACK}:{port}"
    return {
        "core": {
            "dags_folder": str(site.project / "dags"),
            "plugins_folder": str(site.project / "plugins"),
            "load_examples": "False",
            "dagbag_import_timeout": "240",
            "executor": "LocalExecutor",
            "parallelism": str(min(MOST_TASKS_AT_ONCE, max(2, os.cpu_count() or 2))),
            "fernet_key": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            "execution_api_server_url": f"{url}/execution/",
            # A scheduled Dag would bill today's periods beside the demonstration's; a person switches it on.
            "dags_are_paused_at_creation": "True",
        },
        "database": {"sql_alchemy_conn": f"sqlite:///{site.airflow_database}"},
        "logging": {"base_log_folder": str(site.airflow_home / "logs")},
        "api": {
            "host": LOOPBACK,
            "port": str(port),
            "base_url": url,
            "workers": "1",
            "instance_name": "Ciclo demo",
            "secret_key": secrets.token_hex(32),
        },
        "api_auth": {"jwt_secret": secrets.token_hex(32)},
        "scheduler": {"scheduler_idle_sleep_time": "0.5", "use_job_schedule": str(by_schedule)},
        # a changed file is read at once; watchers of a Dag that is switched on begin when its file is read again
        "dag_processor": {
            "min_file_process_interval": "60" if by_schedule else "600",
            "dag_file_processor_timeout": "300",  # as the other, for a busy machine
        },
    }


def _login(site: Site, roles: Mapping[str, str]) -> Mapping[str, str]:
    if not roles:
        return {"simple_auth_manager_all_admins": "True"}
    return {
        "simple_auth_manager_all_admins": "False",
        "simple_auth_manager_users": ",".join(f"{name}:{role}" for name, role in roles.items()),
        "simple_auth_manager_passwords_file": str(_private(_passwords_file(site))),
    }


def _passwords_file(site: Site) -> Path:
    return site.airflow_home / "passwords.json"


def _private(path: Path) -> Path:
    path.touch(mode=0o600)
    return path

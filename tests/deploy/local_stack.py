"""A Compose file run without Docker: every service's own command and environment as local processes.

Only what a container network and an image would give is replaced: host names become 127.0.0.1, ports become
free ones, mounted files their sources, and the images' entrypoints the stand-ins. Health checks are the services' own.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil
import psycopg

from demo.processes import MARK_VARIABLE
from demo.site import LOCAL_SETTINGS
from demo.stack import free_port
from deploy import stand_ins
from deploy.compose_file import ROOT

START_SECONDS = 900
IN_A_TEST = {
    "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "240",
    "AIRFLOW__DAG_PROCESSOR__DAG_FILE_PROCESSOR_TIMEOUT": "300",
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "600",
}
"""What the file leaves to Airflow, for a machine that is busy with other things and where nobody changes a Dag."""
PORT = re.compile(r"(?:(?P<host>[\w-]+(?:\.[\w-]+)*):)?\b(?P<port>5432|6379|8080|8400|8793|8794|8974)\b")
Service = dict[str, Any]


class ServiceFailed(AssertionError):
    """A service did not come up; the end of its log says why."""

    def __init__(self, name: str, what: str, log: Path) -> None:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-30:]) if log.exists() else ""
        super().__init__(f"{name} {what}; the end of its log:\n{tail}")


@dataclass
class Replica:
    """One container of a service."""

    name: str
    service: Service
    environment: dict[str, str]
    command: list[str]
    folder: Path
    process: subprocess.Popen[bytes] | None = None
    system_user: str | None = None

    @property
    def log(self) -> Path:
        return self.folder.parent / f"{self.name}.log"

    def tree(self) -> list[psutil.Process]:
        """Return what runs in the container, from the top."""
        try:
            parent = psutil.Process(self.process.pid)
            return [parent, *parent.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def kill(self) -> None:
        """End everything in the container at once, as a machine that goes dark does."""
        for process in self.tree():
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGKILL)
        self.process.wait()


@dataclass
class LocalStack:
    """A running Compose project; leave the `with` block to end everything."""

    compose: dict[str, Any]
    folder: Path
    profiles: Sequence[str] = ()
    replicas: dict[str, list[Replica]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._ports: dict[tuple[str, str], int] = {}
        self._mark = uuid.uuid4().hex
        self._ready = {name: threading.Event() for name in self.services}
        self._ending = threading.Event()
        self._checking = threading.BoundedSemaphore(2)  # each starts a program, beside those that are to start
        self._exit = ExitStack()

    @property
    def services(self) -> dict[str, Service]:
        """The services of the chosen profiles."""
        chosen = set(self.profiles)
        every = self.compose["services"].items()
        return {name: each for name, each in every if chosen.issuperset(each.get("profiles", ()))}

    def __enter__(self) -> Self:
        watcher = subprocess.Popen(
            [sys.executable, "-m", "demo.processes", self._mark, "5"],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )
        self._exit.callback(watcher.wait)
        self._exit.callback(watcher.stdin.close)  # the watcher then ends whatever carries the mark
        try:
            with ThreadPoolExecutor(len(self.services)) as pool:
                for future in as_completed([pool.submit(self._bring_up, name) for name in self.services]):
                    future.result()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _end(self) -> None:
        self._ending.set()
        # PostgreSQL and Redis write their titles over the environment that holds the mark: they are remembered here.
        unmarked = [
            process
            for replica in self._all()
            if replica.process is not None and not replica.service["image"].startswith("ciclo:")
            for process in replica.tree()
        ]
        self._exit.close()
        for process in unmarked:
            with suppress(psutil.NoSuchProcess):
                process.send_signal(signal.SIGINT)  # a fast shutdown for both
        psutil.wait_procs(unmarked, timeout=30)
        for replica in self._all():
            if replica.process is not None:
                replica.process.wait(30)

    def _all(self) -> Iterator[Replica]:
        return (replica for replicas in list(self.replicas.values()) for replica in replicas)

    def address(self, service: str, port: int) -> str:
        """Return where a service's port is found here."""
        return f"127.0.0.1:{self._port(service, str(port))}"

    # -- starting ----------------------------------------------------------------------------------------------------

    def _bring_up(self, name: str) -> None:
        try:
            self._await_dependencies(name)
            count = self.services[name].get("deploy", {}).get("replicas", 1)
            self.replicas[name] = [self._replica(name, number) for number in range(1, count + 1)]
            for replica in self.replicas[name]:
                self._start(replica)
            for replica in self.replicas[name]:
                self._await_up(replica)
            self._ready[name].set()
        except BaseException:
            self._ending.set()  # nobody waits for a service that will not come
            raise

    def _await_dependencies(self, name: str) -> None:
        for other in self.services[name].get("depends_on", {}):
            while not self._ready[other].wait(0.1):
                if self._ending.is_set():
                    raise AssertionError(f"{name} was not started: a service before it failed")

    def _replica(self, name: str, number: int) -> Replica:
        service = self.services[name]
        replica_name = f"{name}-{number}"
        folder = self.folder / replica_name
        folder.mkdir()
        environment = self._environment(replica_name, service, folder)
        command = [self._here(replica_name, part, service) for part in service["command"]]
        return Replica(replica_name, service, environment, command, folder)

    def _environment(self, name: str, service: Service, folder: Path) -> dict[str, str]:
        """Return the service's own environment, and what its image and Docker would set."""
        own = {key: self._here(name, str(value), service) for key, value in service.get("environment", {}).items()}
        path = os.pathsep.join([str(Path(sys.executable).parent), *stand_ins.wheel_folders(), os.environ["PATH"]])
        given = {"PATH": path, "HOME": str(folder), "HOSTNAME": name, "LANG": "C.UTF-8", MARK_VARIABLE: self._mark}
        if service["image"].startswith("ciclo:"):
            given |= {"AIRFLOW_HOME": str(self._airflow_home(folder)), "SPT_NOENV": "1", **IN_A_TEST}
        if service["image"].startswith("postgres:"):
            given |= {"PGDATA": str(folder)}
        return given | own

    def _airflow_home(self, folder: Path) -> Path:
        """Lay out /opt/airflow as in the image; the logs are on a shared volume."""
        logs = self.folder / "logs"
        logs.mkdir(exist_ok=True)
        for name, target in {"dags": ROOT / "dags", "plugins": ROOT / "plugins", "logs": logs}.items():
            if target.is_dir():
                (folder / name).symlink_to(target)
        (folder / "config").mkdir()
        (folder / "config" / LOCAL_SETTINGS.name).symlink_to(LOCAL_SETTINGS)
        return folder

    def _here(self, name: str, text: str, service: Service) -> str:
        """Translate a text of a service from its container's network and files to this machine's."""
        for volume in service.get("volumes", ()):
            source, target, *_ = volume.split(":")
            shared = ROOT / source if source.startswith((".", "/")) else self.folder / source
            text = text.replace(target, str(shared.resolve()))
        return PORT.sub(lambda found: self._found_here(name, found), text).replace("0.0.0.0", "127.0.0.1")  # noqa: S104

    def _found_here(self, name: str, found: re.Match[str]) -> str:
        host, port = found["host"], found["port"]
        if host in self.services:
            return self.address(host, int(port))
        return f"{host}:{self._port(name, port)}" if host else str(self._port(name, port))

    def _port(self, name: str, port: str) -> int:
        owner = name if name in self.services else name.rpartition("-")[0]
        key = owner if self.services[owner].get("deploy", {}).get("replicas", 1) == 1 else name
        return self._ports.setdefault((key, port), free_port())

    def _start(self, replica: Replica) -> None:
        if replica.service["image"].startswith("postgres:"):
            replica.system_user = stand_ins.prepare_postgres(replica.folder)
        program = shutil.which(replica.command[0], path=replica.environment["PATH"])
        assert program, f"{replica.command[0]} of {replica.name} is not installed here"
        with replica.log.open("wb") as output:
            replica.process = subprocess.Popen(
                [program, *replica.command[1:]],
                env=replica.environment,
                cwd=replica.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                user=replica.system_user,
            )
        if replica.service["image"].startswith("postgres:"):
            self._until(replica, lambda: _created(replica), "has no database")

    # -- health ------------------------------------------------------------------------------------------------------

    def _await_up(self, replica: Replica) -> None:
        if "healthcheck" in replica.service:
            self._until(replica, lambda: self.is_healthy(replica), "did not become healthy")
        elif replica.process.wait(START_SECONDS) != 0:
            raise ServiceFailed(replica.name, f"ended with {replica.process.returncode}", replica.log)

    def is_healthy(self, replica: Replica) -> bool:
        """Run the service's own health check once."""
        kind, *rest = replica.service["healthcheck"]["test"]
        here = [self._here(replica.name, part, replica.service) for part in rest]
        command = ["sh", "-c", *here] if kind == "CMD-SHELL" else here
        try:
            with self._checking:
                check = subprocess.run(
                    command, env=replica.environment, cwd=replica.folder, capture_output=True, timeout=60, check=False
                )
        except subprocess.TimeoutExpired:
            return False
        return check.returncode == 0

    def _until(self, replica: Replica, condition: Any, what: str) -> None:
        deadline = time.monotonic() + START_SECONDS
        began = time.monotonic()
        while not condition():
            if replica.process.poll() is not None:
                raise ServiceFailed(replica.name, f"ended with {replica.process.returncode}", replica.log)
            if time.monotonic() > deadline or self._ending.is_set():
                raise ServiceFailed(replica.name, what, replica.log)
            time.sleep(max(0.3, time.monotonic() - began))  # a check that takes long takes from what is to start
            began = time.monotonic()


def _created(replica: Replica) -> bool:
    try:
        stand_ins.create_database(replica.environment)
    except psycopg.OperationalError:
        return False
    return True

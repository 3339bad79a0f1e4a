"""A PgBouncer in transaction pooling, in front of the tests' PostgreSQL: Debian's package, where it is installed."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import URL, make_url

_CONFIGURATION = """\
[databases]
* = host={folder} user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = {servers}
max_client_conn = 200
server_round_robin = 1
"""
"""Servers are taken in turn: what belongs to a session of the server is gone with the next transaction."""


def program() -> str | None:
    """Return the program, where it is installed."""
    return shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin")


@contextmanager
def pgbouncer(server: str, *, servers: int = 3) -> Iterator[URL]:
    """Start one in front of `server`, whose socket's folder its URL names; yield its address, without a database.

    Args:
        server: URL of a PostgreSQL.
        servers: connections to it, of each database.
    """
    if program() is None:
        pytest.skip("pgbouncer is not installed (Debian: apt-get install pgbouncer)")
    folder = Path(str(make_url(server).query["host"]))
    owner = pwd.getpwuid(folder.stat().st_uid).pw_name  # whom the server's socket lets in
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="ciclo-pgb-") as own:
        Path(own).chmod(0o755)
        configuration = Path(own) / "pgbouncer.ini"
        configuration.write_text(_CONFIGURATION.format(folder=folder, port=port, servers=servers))
        as_owner = ("-u", owner) if os.geteuid() == 0 else ()
        with (Path(own) / "log").open("wb") as log:
            process = subprocess.Popen([str(program()), *as_owner, configuration], stdout=log, stderr=log)
        try:
            _wait_for(port, process, Path(own) / "log")
            yield URL.create("postgresql", username="postgres", host="127.0.0.1", port=port)
        finally:
            process.terminate()
            process.wait(timeout=10)


def _wait_for(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + 20
    while True:
        assert process.poll() is None, log.read_text()
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        else:
            return

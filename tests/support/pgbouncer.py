"""A PgBouncer in transaction pooling, in front of the tests' PostgreSQL: Debian's package, where it is installed."""

import os
import pwd
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import URL, make_url

from demo.stack import free_port
from local_server import listening

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
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="ciclo-pgb-") as own:
        Path(own).chmod(0o755)
        configuration = Path(own) / "pgbouncer.ini"
        configuration.write_text(_CONFIGURATION.format(folder=folder, port=port, servers=servers))
        as_owner = ("-u", owner) if os.geteuid() == 0 else ()
        with listening([str(program()), *as_owner, configuration], port, Path(own) / "log"):
            yield URL.create("postgresql", username="postgres", host="127.0.0.1", port=port)

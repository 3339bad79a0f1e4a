"""How a client reaches its one host: at which address, with which token, through which proxy, trusting whom.

A token never travels in clear. Plain `http` is for loopback hosts, or where somebody said so in so many words; there is
no way to switch the verification of certificates off.

The variables are those that httpx documents: `HTTPS_PROXY`, `HTTP_PROXY` and `ALL_PROXY`, in either case, with or
without a scheme (then `http`), of HTTP or SOCKS; `NO_PROXY` with names, addresses, networks and ports; `SSL_CERT_FILE`
and `SSL_CERT_DIR`. They are read here and not by httpx, which repeats pieces of an address that it cannot read: one may
hold a password, and no message has any of it.
"""

import os
import re
import ssl
from contextlib import suppress
from functools import lru_cache
from ipaddress import ip_address, ip_network
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies_environment

import httpx

_SCHEMES = {"http", "https", "socks5", "socks5h"}
_PLACE = re.compile(r"(\[[0-9a-fA-F:.]+\]|[\w.-]+)(:\d{1,5})?/?", re.ASCII)
_PORTS = {"http": 80, "https": 443}


class NetworkSettingError(ValueError):
    """A variable of the environment that says how to reach the network is of no use; a person has to correct it."""

    def __init__(self, variable: str, problem: str) -> None:
        self.variable = variable
        self.problem = problem
        super().__init__(f"{variable} {problem}")

    def __reduce__(self) -> tuple[type["NetworkSettingError"], tuple[str, str]]:
        return type(self), (self.variable, self.problem)


def proxy_for(base_url: str) -> httpx.Proxy | None:
    """Return the proxy between here and a host; None where there is none, or the host goes without.

    Raises:
        NetworkSettingError: the variable that counts holds no address of a proxy; the message holds nothing of it.
    """
    parts, proxies = urlsplit(base_url), getproxies_environment()
    host, port = (parts.hostname or "").lower(), parts.port or _PORTS[parts.scheme]
    name = next((name for name in (parts.scheme, "all") if proxies.get(name)), None)
    if name is None or any(_matches(each.strip(), host, port) for each in proxies.get("no", "").lower().split(",")):
        return None
    return _proxy(f"{name.upper()}_PROXY", proxies[name].strip())


def tls_context(ca_file: str | None = None) -> ssl.SSLContext:
    """Return whom to trust: the usual authorities or those of `SSL_CERT_FILE`, and those of a file beside.

    Raises:
        NetworkSettingError: the file or folder that a variable names cannot be read.
        ValueError: the same of `ca_file`, by its name.
    """
    try:
        context = httpx.create_ssl_context()
    except OSError as error:
        raise NetworkSettingError("SSL_CERT_FILE", f"names no file of certificates ({type(error).__name__})") from None
    if ca_file:
        try:
            context.load_verify_locations(cafile=ca_file)
        except OSError as error:
            msg = f"ca_file is no file of certificates that can be read here ({type(error).__name__})"
            raise ValueError(msg) from None
    return context


def trusted_by(base_url: str, ca_file: str | None = None) -> ssl.SSLContext:
    """Return whom a client of one host trusts: those of `tls_context`, slow to read; nobody where no TLS is spoken.

    What somebody set is read all the same, so that a wrong file is named before the day on which it counts.

    Raises:
        NetworkSettingError, ValueError: as `tls_context`.
    """
    if urlsplit(base_url).scheme == "https":
        return tls_context(ca_file)
    given = (ca_file, os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))
    if any(given):
        _read_once(*given)
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@lru_cache
def _read_once(ca_file: str | None, *_variables: str | None) -> None:
    """Read whom to trust, to see whether it can be read; what can be was read before."""
    tls_context(ca_file)


def _proxy(variable: str, address: str) -> httpx.Proxy:
    scheme, found, rest = address.partition("://")
    scheme, rest = (scheme.lower(), rest) if found else ("http", address)
    user, _, place = rest.rpartition("@")  # what stands before the last @ is a secret, whatever characters it has
    name, _, password = user.partition(":")
    if scheme in _SCHEMES and _PLACE.fullmatch(place):
        auth = (unquote(name), unquote(password)) if user else None
        with suppress(ValueError, httpx.InvalidURL):
            return httpx.Proxy(f"{scheme}://{place}", auth=auth)
    raise NetworkSettingError(variable, "is no address of a proxy, such as http://proxy:3128 or socks5://proxy:1080")


def _matches(entry: str, host: str, port: int) -> bool:
    """Whether an entry of `NO_PROXY` means a host: `*`, a name and those below it, an address, a network; with port."""
    entry = entry.partition("://")[2] if "://" in entry else entry
    if entry in {"", "*"}:
        return entry == "*"
    name, wanted = _split(entry)
    if wanted is not None and wanted != port:
        return False
    with suppress(ValueError):
        return ip_address(host) in ip_network(name, strict=False)
    below = name.removeprefix("*")
    return host == below or host.endswith(below if below.startswith(".") else f".{below}")


def _split(entry: str) -> tuple[str, int | None]:
    if entry.startswith("["):
        name, _, port = entry[1:].partition("]")
        return name, int(port[1:]) if port[1:].isdecimal() else None
    name, _, port = entry.rpartition(":")
    return (name, int(port)) if port.isdecimal() and ":" not in name and name else (entry, None)


_TOKEN = re.compile(r"[!-~]+")  # visible ASCII, what a header field may hold; httpx would print a wrong one


def checked_base_url(base_url: str, *, allow_http: bool = False) -> str:
    """Return the URL without a trailing slash or `/api/v1`.

    Raises:
        ValueError: It is no http(s) URL, carries credentials or a query, or is http to another machine.
    """
    try:
        parts = urlsplit(base_url.strip())
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # brackets or a port that cannot be read
        usable = False
    if not usable:
        msg = "base_url must look like https://faturamento.fintera.com.br"
        raise ValueError(msg)
    if parts.username or parts.password or parts.query or parts.fragment:
        msg = "base_url must hold no user, password, query or fragment"
        raise ValueError(msg)
    if parts.scheme == "http" and not (allow_http or _is_loopback(parts.hostname or "")):
        msg = f"base_url must be https: the token would travel in clear to {parts.hostname}"
        raise ValueError(msg)
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/').removesuffix('/api/v1')}".rstrip("/")


def checked_token(token: str) -> str:
    """Return the token.

    Raises:
        ValueError: It is empty or could not stand in a header; the message does not repeat it.
    """
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        msg = "token must be visible ASCII characters without spaces"
        raise ValueError(msg)
    return token


def checked_timeout(seconds: float) -> float:
    """Return the seconds.

    Raises:
        ValueError: They are not positive and finite.
    """
    if not 0 < seconds < float("inf"):
        msg = f"timeout must be a positive number of seconds, not {seconds}"
        raise ValueError(msg)
    return seconds


def checked_rate(per_second: float | None) -> float | None:
    """Return the requests per second, None for unlimited.

    Raises:
        ValueError: They are negative or not finite.
    """
    if per_second is not None and not 0 <= per_second < float("inf"):
        msg = f"requests_per_second must be a number from 0 on, not {per_second}"
        raise ValueError(msg)
    return per_second or None


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False

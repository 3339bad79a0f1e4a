"""What a client is given to reach an API, checked before the first request.

A token never travels in clear. Plain `http` is for loopback hosts, or where somebody said so in so many
words; there is no way to switch the verification of certificates off.
"""

import re
from ipaddress import ip_address
from urllib.parse import urlsplit

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

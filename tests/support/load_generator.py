"""A load generator for the sandbox: `python tests/support/load_generator.py URL --token T --contract ID --invoices N`.

It is lighter than what it measures: prepared bytes over keep-alive sockets, nothing parsed but the status.
"""

import argparse
import json
import selectors
import socket
import sys
import time
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

_RECEIVE: Final = 65536


@dataclass
class _Connection:
    socket: socket.socket
    started: float = 0.0
    received: bytes = b""


@dataclass(frozen=True)
class Measured:
    """What a run took."""

    requests: int
    seconds: float
    statuses: dict[str, int]
    latencies_ms: list[float]

    def __str__(self) -> str:
        """Return one line: rate, statuses, percentiles."""
        ordered = sorted(self.latencies_ms)
        p50, p99 = (ordered[int(len(ordered) * part)] for part in (0.5, 0.99))
        rate = self.requests / self.seconds
        percentiles = f"p50 {p50:.1f} ms, p99 {p99:.1f} ms"
        return f"{self.requests} requests in {self.seconds:.2f} s: {rate:.0f}/s, {percentiles}, {self.statuses}"


def invoice_body(number: int) -> dict[str, Any]:
    """Return an invoice as a billing run sends it: one service-less amount, one receivable, a reference."""
    month = number % 12 + 1
    return {
        "invoice": {
            "gross_value": 1234.56,
            "issue_date": f"2025-{month:02}-10",
            "accrual_date": f"{month:02}/2025",
            "description": "Mensalidade",
            "nfe_body": "$DESCRICAO",
            "comments": f"ciclo:564:{number}:2025-{month:02}-10",
            "receivables": [{"due_date": f"2025-{month:02}-20", "value": 100}],
        }
    }


def request_bytes(url: str, token: str, method: str, path: str, body: Any = None) -> bytes:
    """Return a whole HTTP request."""
    content = b"" if body is None else json.dumps(body).encode()
    head = (
        f"{method} {path} HTTP/1.1\r\nHost: {urlsplit(url).netloc}\r\nAuthorization: Token token={token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


def run(url: str, requests: list[bytes], *, connections: int = 8) -> Measured:
    """Send the requests over so many keep-alive connections, one at a time on each; return what it took."""
    waiting = iter(requests)
    selector = selectors.DefaultSelector()
    latencies: list[float] = []
    statuses: dict[str, int] = {}
    began = time.perf_counter()
    for _, request in zip(range(connections), waiting, strict=False):
        opened = socket.create_connection((urlsplit(url).hostname or "", urlsplit(url).port or 80))
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = _Connection(opened)
        selector.register(opened, selectors.EVENT_READ, connection)
        _send(connection, request)
    while selector.get_map():
        for key, _events in selector.select():
            connection = key.data
            if not _has_answered(connection):
                continue
            latencies.append((time.perf_counter() - connection.started) * 1000)
            status = connection.received[9:12].decode()
            statuses[status] = statuses.get(status, 0) + 1
            following = next(waiting, None)
            if following is None:
                selector.unregister(connection.socket)
                connection.socket.close()
            else:
                _send(connection, following)
    return Measured(len(latencies), time.perf_counter() - began, statuses, latencies)


def _send(connection: _Connection, request: bytes) -> None:
    connection.received = b""
    connection.started = time.perf_counter()
    connection.socket.sendall(request)


def _has_answered(connection: _Connection) -> bool:
    chunk = connection.socket.recv(_RECEIVE)
    if not chunk:
        message = "the server closed the connection"
        raise ConnectionError(message)
    connection.received += chunk
    head, found, body = connection.received.partition(b"\r\n\r\n")
    if not found:
        return False
    _, _, rest = head.lower().partition(b"content-length: ")
    return len(body) >= int(rest.partition(b"\r\n")[0] or 0)


def main() -> None:
    """Create invoices and say how fast."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("--token", default="sandbox-token")
    parser.add_argument("--contract", type=int, required=True)
    parser.add_argument("--invoices", type=int, default=10_000)
    parser.add_argument("--connections", type=int, default=8)
    given = parser.parse_args()
    path = f"/api/v1/contracts/{given.contract}/invoices"
    requests = [
        request_bytes(given.url, given.token, "POST", path, invoice_body(number)) for number in range(given.invoices)
    ]
    sys.stdout.write(f"{run(given.url, requests, connections=given.connections)}\n")


if __name__ == "__main__":
    main()

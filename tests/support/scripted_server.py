"""A real HTTP server in a thread that plays a script, one act per request, and remembers what it was asked."""

import json
import socket
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from demo.stack import free_port


@dataclass(frozen=True)
class Act:
    """What the server does with one request: answers it, or one of the faults."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    fault: str | None = None  # hang, reset, disconnect, truncate, drip

    def content(self) -> bytes:
        if self.body is None:
            return b""
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


@dataclass(frozen=True)
class Seen:
    """A request as the server saw it."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: Message
    content: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.content)


class ScriptedServer:
    """Plays its acts in order; the last one is repeated for ever."""

    def __init__(self) -> None:
        self.acts: list[Act] = []
        self.seen: list[Seen] = []
        self.released = threading.Event()
        self._lock = threading.Lock()
        self._http: ThreadingHTTPServer | None = None
        self._thread: threading.Thread | None = None
        self.port = free_port()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        self._http = _Quiet(("127.0.0.1", self.port), _Handler)
        self._http.script = self
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self.released.set()
        if self._http and self._thread:
            self._http.shutdown()
            self._thread.join()
            self._http.server_close()
            self._http = None

    def play(self, *acts: Act) -> None:
        self.acts = list(acts)
        self.seen.clear()

    def next_act(self, seen: Seen) -> Act:
        with self._lock:
            self.seen.append(seen)
            return self.acts.pop(0) if len(self.acts) > 1 else self.acts[0]


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True
    script: ScriptedServer

    def handle_error(self, request, client_address):
        """A client that gave up is part of the play."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Quiet

    def log_message(self, *args):
        """Say nothing."""

    def serve(self):
        split = urlsplit(self.path)
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        query = parse_qs(split.query, keep_blank_values=True)
        act = self.server.script.next_act(Seen(self.command, split.path, query, self.headers, content))
        if act.fault:
            self.close_connection = True
        getattr(self, act.fault or "answer")(act)

    def answer(self, act: Act):
        content = act.content()
        self.send_response(act.status)
        self.send_header("Content-Length", str(len(content)))
        for name, value in act.headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def truncate(self, act: Act):
        self.send_response(act.status)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b'{"invoice": {"id"')

    def drip(self, act: Act):
        """Answer byte by byte, each soon enough, for as long as somebody listens."""
        self.send_response(act.status)
        self.send_header("Content-Length", "1000000")
        self.end_headers()
        while not self.server.script.released.wait(0.02):
            self.wfile.write(b" ")

    def hang(self, _: Act):
        self.server.script.released.wait(10)

    def disconnect(self, _: Act):
        """Close without a word."""

    def reset(self, _: Act):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()


for _method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
    setattr(_Handler, f"do_{_method}", _Handler.serve)


@pytest.fixture
def stopped_server() -> Iterator[ScriptedServer]:
    """A server whose port refuses connections until somebody starts it."""
    server = ScriptedServer()
    yield server
    server.stop()


@pytest.fixture
def server(stopped_server: ScriptedServer) -> ScriptedServer:
    """A server that is listening."""
    stopped_server.start()
    return stopped_server


@pytest.fixture
def pauses() -> list[float]:
    """The pauses that a patient client made; none of them really happened."""
    return []


@pytest.fixture
def act() -> type[Act]:
    """How a script is written."""
    return Act

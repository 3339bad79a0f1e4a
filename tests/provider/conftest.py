"""An Airflow home of our own, connections in the environment, and two tiny servers: the API and a mail server."""

import json
import os
import socketserver
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest

os.environ.setdefault("AIRFLOW_HOME", tempfile.mkdtemp(prefix="ciclo-airflow-"))  # importing Airflow writes there

TOKEN = "canary-8c02b7"


@contextmanager
def _serving(server: socketserver.BaseServer) -> Iterator[int]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Api(BaseHTTPRequestHandler):
    """An account with one organization, 564; anything else is not there."""

    answers: ClassVar = {
        "/api/v1/service_items": {"service_items": []},
        "/api/v1/organizations/564/email_templates": {"email_templates": []},
        "/api/v1/organizations/564/contracts": {"contracts": []},
    }

    def log_message(self, *args):
        """Say nothing."""

    def _get(self):
        authorized = self.headers["Authorization"] == f"Token token={TOKEN}"
        answer = self.answers.get(self.path)
        self.send_response(401 if not authorized else 200 if answer else 404)
        content = json.dumps(answer).encode() if authorized and answer else b""
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


_Api.do_GET = _Api._get


class _Mail(socketserver.StreamRequestHandler):
    """As much of SMTP as it takes to receive a message (RFC 5321)."""

    def handle(self):
        self._say("220 ready")
        for line in self.rfile:
            command = line.decode().strip().upper()
            if command == "QUIT":
                return self._say("221 bye")
            self._data() if command == "DATA" else self._say("250 ok")
        return None

    def _data(self):
        self._say("354 go on")
        lines = iter(self.rfile.readline, b".\r\n")
        self.server.messages.append(b"".join(lines).decode())
        self._say("250 ok")

    def _say(self, text):
        self.wfile.write(f"{text}\r\n".encode())


class _MailServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        self.messages: list[str] = []
        super().__init__(("127.0.0.1", 0), _Mail)


@pytest.fixture
def api_port() -> Iterator[int]:
    """Port of an API with organization 564."""
    with _serving(ThreadingHTTPServer(("127.0.0.1", 0), _Api)) as port:
        yield port


@pytest.fixture
def mails(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Messages that arrived over Airflow's connection `smtp_default`."""
    server = _MailServer()
    with _serving(server) as port:
        extra = "disable_ssl=true&disable_tls=true&from_email=ciclo%40example.com"
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", f"smtp://127.0.0.1:{port}/?{extra}")
        yield server.messages


@pytest.fixture
def connection(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Define `billimatic_default` in the environment: as a URI, or as JSON from its fields."""

    def define(uri: str | None = None, **fields: object) -> None:
        definition = uri if uri is not None else json.dumps({"conn_type": "billimatic", **fields})
        monkeypatch.setenv("AIRFLOW_CONN_BILLIMATIC_DEFAULT", definition)

    return define

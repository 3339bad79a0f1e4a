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

from mail_server import running_mail_server

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


@pytest.fixture
def api_port() -> Iterator[int]:
    """Port of an API with organization 564."""
    with _serving(ThreadingHTTPServer(("127.0.0.1", 0), _Api)) as port:
        yield port


@pytest.fixture
def mails(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Messages that arrived over Airflow's connection `smtp_default`."""
    with running_mail_server() as server:
        monkeypatch.setenv("AIRFLOW_CONN_SMTP_DEFAULT", server.connection)
        yield server.messages


@pytest.fixture
def connection(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Define `billimatic_default` in the environment: as a URI, or as JSON from its fields."""

    def define(uri: str | None = None, **fields: object) -> None:
        definition = uri if uri is not None else json.dumps({"conn_type": "billimatic", **fields})
        monkeypatch.setenv("AIRFLOW_CONN_BILLIMATIC_DEFAULT", definition)

    return define

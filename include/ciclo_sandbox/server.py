"""The process: one event loop on loopback, from a state file to a clean end.

It listens on 127.0.0.1 unless it is told otherwise; its control plane is for this machine alone, always.
"""

import asyncio
import gc
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import date, time
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any, Final

import uvicorn
from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from ciclo_sandbox.account import Account
from ciclo_sandbox.app import Sandbox
from ciclo_sandbox.control import control_plane
from ciclo_sandbox.faults import TRANSPORT
from ciclo_sandbox.state import StateError, StateFile, load_state, read_state_file
from ciclo_sandbox.storage import close_database, open_database

HOST: Final = "127.0.0.1"
_LOOK_SECONDS: Final = 0.1
_WORK_SECONDS: Final = 60.0
_GRACE_SECONDS: Final = 1.0
"""How long requests that are under way may take at the end."""


class _Protocol(HttpToolsProtocol):
    """Lets the application close the connection of a request."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        scope: Any = self.scope
        scope[TRANSPORT] = self.transport


class SandboxServer:
    """A sandbox on a bound socket; `run` blocks until `stop`."""

    def __init__(
        self,
        *,
        host: str = HOST,
        port: int = 0,
        state: Path | None = None,
        token: str | None = None,
        today: date | None = None,
        database: str | None = None,
    ) -> None:
        self._connection = open_database(database)
        self.account = Account(self._connection, today=today)
        self.sandbox = Sandbox(self.account)
        self.sandbox.control = control_plane(self.sandbox)
        if not self.account.is_restored:
            # Started again on its database, the sandbox goes on where it was; the state file is where it began.
            self._begin(state, token, today)
        self.socket = _bound(host, port)
        self.url = f"http://{host}:{self.socket.getsockname()[1]}"
        self._server = _Server(_config(self.sandbox))

    def _begin(self, path: Path | None, token: str | None, today: date | None) -> None:
        state = StateFile() if path is None else read_state_file(path)
        given = {"token": token or state.token, "today": today or state.today}
        try:
            StateFile(today=today)  # a copy is not checked again
        except ValidationError as error:
            message = f"--today: {error.errors()[0]['msg']}"
            raise StateError(message) from error
        try:
            with self.account.transaction():
                load_state(self.account, state.model_copy(update=given))
        except StateError as error:
            message = f"{path}: {error}"
            raise StateError(message) from error

    def run(self, ready: Callable[[], None]) -> None:
        """Serve until stopped; `ready` is called when requests are answered."""
        self._server.ready = ready
        try:
            self._server.run(sockets=[self.socket])
        finally:
            self.close()

    def move(self, today: date, at: time | None) -> None:
        """Move the clock from another thread of this process; return when what has come due by then has happened."""
        self._server.do(partial(self.sandbox.move, today, at))

    def stop(self) -> None:
        """Ask `run` to return."""
        self._server.end()

    def close(self) -> None:
        """Release socket, threads and database."""
        self.sandbox.webhooks.close()
        self.socket.close()
        close_database(self._connection)


class _Server(uvicorn.Server):
    """Leaves signals to us, says when it is ready, and ends at once: uvicorn's own takes a fifth of a second to."""

    ready: Callable[[], None] = staticmethod(lambda: None)
    _loop: asyncio.AbstractEventLoop | None = None
    _ended: asyncio.Event

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._ended = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)
        self.ready()

    def do(self, work: Callable[[], None]) -> None:
        """Do something between two requests, for another thread, which waits for it."""

        async def done() -> None:
            work()

        if self._loop is None:
            message = "the sandbox is not running"
            raise RuntimeError(message)
        asyncio.run_coroutine_threadsafe(done(), self._loop).result(_WORK_SECONDS)

    def end(self) -> None:
        """End, from whatever thread."""
        self.should_exit = True
        if self._loop is not None:
            with suppress(RuntimeError):  # it has ended
                self._loop.call_soon_threadsafe(self._ended.set)

    async def main_loop(self) -> None:
        await self.on_tick(0)
        while not self.should_exit:  # which a signal sets without a word
            with suppress(TimeoutError):
                await asyncio.wait_for(self._ended.wait(), _LOOK_SECONDS)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for listening in (*self.servers, *(sockets or ())):
            listening.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        under_way, until = self.server_state, monotonic() + _GRACE_SECONDS
        while (under_way.connections or under_way.tasks) and monotonic() < until:  # noqa: ASYNC110 - it has no event
            await asyncio.sleep(0.002)
        for task in under_way.tasks:
            task.cancel()

    def install_signal_handlers(self) -> None:
        """Do nothing: a thread may not, and `serve` does."""


def _config(app: Sandbox) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=_Protocol,
        ws="none",
        loop="uvloop",
        lifespan="off",
        log_config=None,
        proxy_headers=False,
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=75,
        backlog=1024,
    )


def _bound(host: str, port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError:
        listening.close()
        raise
    return listening


def serve(
    *,
    host: str = HOST,
    port: int = 8400,
    state: Path | None = None,
    token: str | None = None,
    today: date | None = None,
    database: str | None = None,
) -> None:
    """Run the sandbox until SIGTERM or SIGINT; print its URL when it is ready.

    Raises:
        SystemExit: 1 when it cannot start, with one line on stderr that says why.
    """
    try:
        server = SandboxServer(host=host, port=port, state=state, token=token, today=today, database=database)
    except (StateError, SQLAlchemyError, OSError) as error:
        reason = str(error).splitlines()[0] if not isinstance(error, OSError) else f"port {port}: {error.strerror}"
        sys.stderr.write(f"ciclo sandbox: {reason}\n")
        raise SystemExit(1) from error
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: server.stop())
    # Everything is in memory and lives on: let the collector not look at it again and again.
    gc.freeze()
    server.run(lambda: print(f"ciclo sandbox: {server.url} (today {server.account.clock.today})", flush=True))  # noqa: T201

"""How each kind of fault goes wrong on the wire.

The rule: "before" means that nothing was changed, "after" that the change is committed and only its answer is lost.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Protocol

from starlette.types import Receive, Scope, Send

from ciclo_sandbox.answers import Answer
from ciclo_sandbox.delivery import deliver, deliver_half, drop
from ciclo_sandbox.faults import Fault, Kind

_HELD_SECONDS: Final = 30.0
_SHORT_SECONDS: Final = 1.0
_NO_ANSWER: Final = 0
_SPOILT: Final = b'{"invoice": {"id": 1, <html><body>Bad Gateway</body></html>'


class Server(Protocol):
    """What a failure needs of the sandbox."""

    def answer(self, scope: Scope, body: bytes) -> Answer:
        """Answer a request and commit what it changed."""

    def answer_later(self, scope: Scope, body: bytes, seconds: float) -> None:
        """Do what a request asks, later."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request whose body was read, and the way back."""

    scope: Scope
    receive: Receive
    send: Send
    body: bytes

    async def answered(self, answer: Answer, *headers: tuple[bytes, bytes]) -> int:
        """Send an answer; return its status."""
        await deliver(self.send, answer, *headers)
        return answer.status

    async def held(self, seconds: float) -> None:
        """Keep the client waiting, until it gives up or the time is over."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while (await self.receive())["type"] != "http.disconnect":
                    pass

    async def dropped(self, *, abruptly: bool) -> int:
        """Close the connection without an answer."""
        await drop(self.scope, self.receive, abruptly=abruptly)
        return _NO_ANSWER


Failure = Callable[[Server, Exchange, Fault], Awaitable[int]]


async def _error_before(_server: Server, exchange: Exchange, fault: Fault) -> int:
    return await exchange.answered(Answer(fault.status))


async def _error_after(server: Server, exchange: Exchange, fault: Fault) -> int:
    server.answer(exchange.scope, exchange.body)
    return await exchange.answered(Answer(fault.status))


async def _timeout_before(_server: Server, exchange: Exchange, fault: Fault) -> int:
    await exchange.held(_seconds(fault, _HELD_SECONDS))
    return await exchange.dropped(abruptly=False)


async def _timeout_after(server: Server, exchange: Exchange, fault: Fault) -> int:
    server.answer(exchange.scope, exchange.body)
    await exchange.held(_seconds(fault, _HELD_SECONDS))
    return await exchange.dropped(abruptly=False)


async def _reset_before(_server: Server, exchange: Exchange, _fault: Fault) -> int:
    return await exchange.dropped(abruptly=True)


async def _reset_after(server: Server, exchange: Exchange, _fault: Fault) -> int:
    server.answer(exchange.scope, exchange.body)
    return await exchange.dropped(abruptly=True)


async def _rate_limit(_server: Server, exchange: Exchange, fault: Fault) -> int:
    retry_after = max(1, round(_seconds(fault, _SHORT_SECONDS)))
    return await exchange.answered(Answer(429), (b"retry-after", str(retry_after).encode()))


async def _slow(server: Server, exchange: Exchange, fault: Fault) -> int:
    await asyncio.sleep(_seconds(fault, _SHORT_SECONDS))
    return await exchange.answered(server.answer(exchange.scope, exchange.body))


async def _malformed(server: Server, exchange: Exchange, _fault: Fault) -> int:
    return await exchange.answered(Answer(server.answer(exchange.scope, exchange.body).status, _SPOILT))


async def _late_commit(server: Server, exchange: Exchange, fault: Fault) -> int:
    server.answer_later(exchange.scope, exchange.body, _seconds(fault, _SHORT_SECONDS))
    return await exchange.answered(Answer(504))


async def _truncated_page(server: Server, exchange: Exchange, _fault: Fault) -> int:
    answer = server.answer(exchange.scope, exchange.body)
    if len(answer.body) < 2:
        return await exchange.answered(answer)
    await deliver_half(exchange.scope, exchange.receive, exchange.send, answer)
    return answer.status


def _seconds(fault: Fault, default: float) -> float:
    return default if fault.seconds is None else fault.seconds


FAILURES: Final[dict[Kind, Failure]] = {
    "error_before": _error_before,
    "error_after": _error_after,
    "timeout_before": _timeout_before,
    "timeout_after": _timeout_after,
    "reset_before": _reset_before,
    "reset_after": _reset_after,
    "rate_limit": _rate_limit,
    "slow": _slow,
    "malformed": _malformed,
    "late_commit": _late_commit,
    "truncated_page": _truncated_page,
}

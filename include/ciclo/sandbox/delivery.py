"""Answers onto the wire, and connections that end without one.

The rule: an answer with a body says how long it is; one without (401, 404) says that it is empty.
"""

import asyncio
import socket
import struct
from typing import Final

from starlette.types import Scope, Send

from ciclo.sandbox.answers import Answer

TRANSPORT: Final = "ciclo.transport"
_LINGER_NOT: Final = struct.pack("ii", 1, 0)


async def deliver(send: Send, answer: Answer, *headers: tuple[bytes, bytes], cut: Scope | None = None) -> None:
    """Send an answer; with `cut` (the request's scope) only the first half of its body, then close."""
    length = str(len(answer.body)).encode()
    sent = [*headers] if answer.status == 204 else [(b"content-length", length), *headers]
    if answer.body:
        sent.append((b"content-type", answer.content_type))
    await send({"type": "http.response.start", "status": answer.status, "headers": sent})
    if cut is not None and len(answer.body) > 1:
        half = answer.body[: len(answer.body) // 2]
        await send({"type": "http.response.body", "body": half, "more_body": True})
        await drop(cut, abruptly=False)
        return
    await send({"type": "http.response.body", "body": answer.body})


async def drop(scope: Scope, *, abruptly: bool) -> None:
    """Close the connection: with a TCP reset, or after what was already written."""
    transport: asyncio.Transport = scope[TRANSPORT]
    if abruptly:
        connection: socket.socket = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
        transport.abort()
    else:
        transport.close()
    # The server learns of it in the loop's next round, and must not try to answer before that.
    while not scope["ciclo.connection"].disconnected:
        await asyncio.sleep(0.001)

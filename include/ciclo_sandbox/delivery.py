"""Answers onto the wire, and connections that end without one.

The rule: an answer with a body says how long it is; one without (401, 404) says that it is empty.
"""

import asyncio
import socket
import struct
from typing import Final

from starlette.types import Message, Receive, Scope, Send

from ciclo_sandbox.answers import Answer

TRANSPORT: Final = "ciclo.transport"
_LINGER_NOT: Final = struct.pack("ii", 1, 0)


async def deliver(send: Send, answer: Answer, *headers: tuple[bytes, bytes]) -> None:
    """Send an answer."""
    await send(_head(answer, *headers))
    await send({"type": "http.response.body", "body": answer.body})


async def deliver_half(scope: Scope, receive: Receive, send: Send, answer: Answer) -> None:
    """Send an answer's head, which tells its whole length, and the first half of its body, then close."""
    await send(_head(answer))
    half = answer.body[: len(answer.body) // 2]
    await send({"type": "http.response.body", "body": half, "more_body": True})
    await drop(scope, receive, abruptly=False)


def _head(answer: Answer, *headers: tuple[bytes, bytes]) -> Message:
    length = str(len(answer.body)).encode()
    sent = [*headers] if answer.status == 204 else [(b"content-length", length), *headers]
    if answer.body:
        sent.append((b"content-type", answer.content_type))
    return {"type": "http.response.start", "status": answer.status, "headers": sent}


async def drop(scope: Scope, receive: Receive, *, abruptly: bool) -> None:
    """Close the connection: with a TCP reset, or after what was already written."""
    transport: asyncio.Transport = scope[TRANSPORT]
    if abruptly and not transport.is_closing():
        connection: socket.socket = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
        transport.abort()
    else:
        transport.close()
    # The server learns of it in the loop's next round, and must not try to answer before that.
    while (await receive())["type"] != "http.disconnect":
        pass

"""Files of an invoice: sent as Base64, served at the URL that the answer gives.

Content is decoded when it comes in; what does not decode is refused, what does is served byte for byte.
"""

import base64
import binascii
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

from fastapi import APIRouter, Response
from sqlalchemy import select

from ciclo_sandbox import parsing
from ciclo_sandbox.account import SAO_PAULO, Account
from ciclo_sandbox.answers import BLANK, INVALID, Json, NotFoundRefusal
from ciclo_sandbox.api import TheAccount
from ciclo_sandbox.billables import Errors, merged
from ciclo_sandbox.storage import ATTACHMENTS

PREFIX: Final = "/system/attachments/attachments/"


def decoded(content: Any) -> bytes | None:
    """Return the bytes of Base64 (missing padding is forgiven: the printed example sends `tst`), or nothing."""
    if not isinstance(content, str):
        return None
    packed = "".join(content.split())
    try:
        return base64.b64decode(packed + "=" * (-len(packed) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None


def assemble_attachments(
    account: Account, current: Sequence[Json], changes: Sequence[Json], errors: Errors
) -> list[Json]:
    """Apply a request's attachments: new ones are stored, `_destroy` removes, an `id` may be renamed."""

    def fill(line: Json, entry: Json) -> Json:
        filename = parsing.filled(entry.get("filename", line.get("filename")))
        if filename is None:
            errors["attachments.filename"] = BLANK
        if line:
            return line | {"filename": filename}
        content = _content(entry, errors)
        if filename is None or content is None:
            return {"id": 0}
        number = account.sequences.next("attachments")
        row = {"id": number, "filename": filename, "content_type": parsing.text(entry["content_type"])}
        account.insert(ATTACHMENTS, row | {"content": content})
        return {"id": number, "filename": filename, "url": _url(number, filename)}

    return merged(current, changes, fill)


def _content(entry: Json, errors: Errors) -> bytes | None:
    if parsing.filled(entry.get("content_type")) is None:
        errors["attachments.content_type"] = BLANK
    if parsing.filled(entry.get("content")) is None:
        errors["attachments.content"] = BLANK
        return None
    content = decoded(entry["content"])
    if content is None:
        errors["attachments.content"] = INVALID
    return None if any(path.startswith("attachments.") for path in errors) else content


def _url(number: int, filename: str) -> str:
    digits = f"{number:09}"
    folders = f"{digits[:3]}/{digits[3:6]}/{digits[6:]}"
    stamp = int(datetime.now(SAO_PAULO).timestamp())
    return f"{PREFIX}{folders}/original/{quote(filename, safe='')}?{stamp}"


router = APIRouter(include_in_schema=False)


@router.get(PREFIX + "{millions}/{thousands}/{ones}/original/{filename:path}")
async def serve(account: TheAccount, millions: str, thousands: str, ones: str) -> Response:
    """Serve the file at an attachment's URL; like the vendor's file store, to anybody."""
    number = parsing.identifier(millions + thousands + ones)
    row = account.connection.execute(select(ATTACHMENTS).where(ATTACHMENTS.c.id == number)).first()
    if number is None or row is None:
        raise NotFoundRefusal
    # Loopback or not, a stored file must not choose to be a page of ours.
    kind = row.content_type.encode("latin-1", "replace").split(b"\n")[0].split(b"\r")[0]
    return Response(row.content, headers={"content-type": kind.decode("latin-1")})

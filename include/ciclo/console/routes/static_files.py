"""Styles, scripts and icons, each through a route of its own: a mounted folder would be open to anybody.

Only files that were there when the console started are served, by exact name.
"""

from functools import cache
from typing import Annotated

from fastapi import APIRouter, HTTPException, Path
from fastapi.responses import FileResponse

from ciclo.console.pages import HERE
from ciclo.locale import _

router = APIRouter()
_FOLDER = HERE / "static"
_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml", ".txt": "text/plain"}


@cache
def _names() -> frozenset[str]:
    return frozenset(path.name for path in _FOLDER.iterdir() if path.suffix in _TYPES)


@router.get("/static/{name}")
def static_file(name: Annotated[str, Path(max_length=60)]) -> FileResponse:
    """Answer a file; its URL changes with its content, so that a browser may keep it."""
    if name not in _names():
        raise HTTPException(404, _("There is no such file."))
    path = _FOLDER / name
    headers = {"Cache-Control": "private, max-age=31536000, immutable"}
    return FileResponse(path, media_type=_TYPES[path.suffix], headers=headers)

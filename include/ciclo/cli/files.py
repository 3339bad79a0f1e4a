"""The files that a command is given."""

import json
from pathlib import Path
from typing import Any

from ciclo.locale import _


class InputError(Exception):
    """A file or argument cannot be used."""


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object, decimals as strings.

    Raises:
        InputError: there is no such file, or it is no JSON object.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"), parse_float=str)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None
    except ValueError as error:
        raise InputError(_("{path} is not JSON: {error}").format(path=path, error=error)) from None
    if not isinstance(document, dict):
        raise InputError(_("{path} is not a JSON object").format(path=path))
    return document

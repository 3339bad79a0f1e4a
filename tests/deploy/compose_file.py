"""docker-compose.yaml as Compose reads it: variables filled in, anchors merged, a service at a time.

Nothing is known here of Ciclo's services; what is not in the file is not there.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
COMPOSE = ROOT / "docker-compose.yaml"

VARIABLE = re.compile(r"\$(?:(?P<escaped>\$)|\{(?P<name>\w+)(?:(?P<kind>:-|:\?|-)(?P<rest>(?:\$\{[^}]*\}|[^}])*))?\})")
"""A default may hold variables of its own."""


class MissingVariable(Exception):
    """A variable without default is not set: Compose stops with the message that the file gives."""


def read(variables: Mapping[str, str]) -> dict[str, Any]:
    """Return the file with its variables filled in."""
    return _filled(yaml.safe_load(COMPOSE.read_text(encoding="utf-8")), variables)


def raw() -> dict[str, Any]:
    """Return the file as it is written, anchors merged."""
    return yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))


def required_variables() -> set[str]:
    """Return the names of the variables that have no default."""
    return {found["name"] for found in variables() if found["kind"] == ":?"}


def variables() -> Iterator[re.Match[str]]:
    """Return every variable of the file, those in another's default too."""
    pending = [COMPOSE.read_text(encoding="utf-8")]
    while pending:
        for found in VARIABLE.finditer(pending.pop()):
            yield found
            pending.append(found["rest"] or "")


def _filled(value: Any, variables: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _filled(item, variables) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, variables) for item in value]
    return VARIABLE.sub(lambda found: _value(found, variables), value) if isinstance(value, str) else value


def _value(found: re.Match[str], variables: Mapping[str, str]) -> str:
    if found["escaped"]:
        return "$"
    value = variables.get(found["name"])
    if value or (value is not None and found["kind"] == "-"):
        return value
    if found["kind"] == ":?":
        raise MissingVariable(f"{found['name']}: {found['rest']}")
    return VARIABLE.sub(lambda inner: _value(inner, variables), found["rest"] or "")

"""From a method and a path to the operation and the ids in the path.

The rule: an id that is no positive integer names nothing, so the path is not found.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from ciclo_sandbox import casting
from ciclo_sandbox.operations import OPERATIONS, Operation

PREFIX: Final = "/api/v1/"

Segments = tuple[str, ...]


class Router:
    """The operations, by method and number of segments."""

    def __init__(self) -> None:
        self._routes: dict[tuple[str, int], list[tuple[Segments, Operation]]] = {}
        for operation in OPERATIONS:
            segments = tuple(operation.path.split("/"))
            for method in operation.methods:
                self._routes.setdefault((method, len(segments)), []).append((segments, operation))
        for routes in self._routes.values():
            # Fixed words before ids: `contracts/search` is not a contract.
            routes.sort(key=lambda route: sum(segment.startswith("{") for segment in route[0]))

    def find(self, method: str, path: str) -> tuple[Operation, Mapping[str, int]] | None:
        """Return the operation of a path below `/api/v1/` and its ids, or nothing."""
        actual = path.removeprefix(PREFIX).rstrip("/").removesuffix(".json").split("/")
        for segments, operation in self._routes.get((method, len(actual)), ()):
            ids = dict(_ids(segments, actual))
            if all(value is not None for value in ids.values()) and _fits(segments, actual):
                return operation, {name: number for name, number in ids.items() if number is not None}
        return None


def _ids(segments: Segments, actual: list[str]) -> Iterator[tuple[str, int | None]]:
    for segment, word in zip(segments, actual, strict=True):
        if segment.startswith("{"):
            yield segment[1:-1], casting.identifier(word) if word.isascii() and word.isdigit() else None


def _fits(segments: Segments, actual: list[str]) -> bool:
    return all(segment.startswith("{") or segment == word for segment, word in zip(segments, actual, strict=True))

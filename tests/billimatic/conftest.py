"""A client of a scripted server, and small answers in the API's shape."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ciclo.billimatic import BillimaticClient, RetryRules
from scripted_server import ScriptedServer, act, pauses, server, stopped_server

TOKEN = "canary-4f1d9a"

__all__ = ["act", "pauses", "server", "stopped_server"]


@pytest.fixture
def rules(pauses: list[float]) -> RetryRules:
    """Retry rules that do not really wait."""
    return RetryRules(sleep=pauses.append, jitter=lambda: 1.0)


@pytest.fixture
def connect(rules: RetryRules) -> Iterator[Callable[..., BillimaticClient]]:
    """Make clients of a server; all are closed at the end."""
    clients: list[BillimaticClient] = []

    def make(server: ScriptedServer, **settings: Any) -> BillimaticClient:
        defaults = {"organization_id": 564, "timeout": 5.0, "requests_per_second": None, "retries": rules}
        clients.append(BillimaticClient(base_url=server.url, token=TOKEN, **{**defaults, **settings}))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def client(server: ScriptedServer, connect: Callable[..., BillimaticClient]) -> BillimaticClient:
    """A client of the listening server."""
    return connect(server)


@pytest.fixture
def invoice() -> Callable[..., dict[str, Any]]:
    """A small invoice in the API's shape."""

    def answer(number: int = 1, **fields: Any) -> dict[str, Any]:
        return {
            "id": number,
            "contract_id": 6666,
            "issue_date": "19/09/2016",
            "gross_value": "100.0",
            "description": "FATURAMENTO",
            "state": "to_emit",
            **fields,
        }

    return answer


@pytest.fixture
def rule() -> Callable[..., dict[str, Any]]:
    """A small invoice rule in the API's shape."""

    def answer(**fields: Any) -> dict[str, Any]:
        return {
            "id": 168132,
            "contract_id": 8818,
            "gross_value": "150.0",
            "additional_information": {"title": "REGRA", "init_date": "2017-04-10", "month_quantity": 1},
            "receivables_additional_information": {"day_number": 1, "day_quantity": None, "month_quantity": None},
            **fields,
        }

    return answer

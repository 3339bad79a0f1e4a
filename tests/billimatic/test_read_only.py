"""A client that cannot write: whatever it is asked, nothing but GET leaves."""

import inspect

import httpx
import pytest

from ciclo.billimatic import BillimaticClient, ReadOnlyError

WRITES = [
    name
    for name, _method in inspect.getmembers(BillimaticClient, inspect.isfunction)
    if name.split("_")[0] in {"create", "update", "delete", "approve", "block", "receive", "undo", "change"}
]


def arguments(method):
    wanted = [each for each in inspect.signature(method).parameters.values() if each.default is inspect.Parameter.empty]
    given = {int: 1, str: "t"}
    return [given.get(each.annotation, {"name": "x"}) for each in wanted]


@pytest.mark.parametrize("name", WRITES)
def test_no_method_that_writes_sends_anything(name, connect, server):
    client = connect(server, read_only=True)
    method = getattr(client, name)
    with pytest.raises(ReadOnlyError, match="nothing was sent"):
        method(*arguments(method))
    assert server.seen == []


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "post"])
def test_not_even_its_own_transport_sends_a_write(method, connect, server):
    client = connect(server, read_only=True)
    with pytest.raises(ReadOnlyError):
        client._exchange.write(method, "contracts/1/invoices", {"invoice": {}})
    with pytest.raises(ReadOnlyError):
        client._exchange._http.send(httpx.Request(method, f"{server.url}/api/v1/contracts/1/invoices"))
    assert server.seen == []


def test_there_are_writes_to_try():
    assert len(WRITES) >= 20

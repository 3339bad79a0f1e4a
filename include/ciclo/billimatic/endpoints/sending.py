"""What every endpoint is made of: a resource, or a list of them, read from a path, and fields sent to one."""

from collections.abc import Mapping
from typing import Any, Final

from ciclo.billimatic.models.reading import Listing, Model
from ciclo.billimatic.models.requests import Request
from ciclo.billimatic.transport import Exchange, Query, read_one, read_several

Fields = Mapping[str, Any]
"""A request body as plain values, sent as it stands: dates, decimals, strings, lists, mappings; floats are refused."""


class Endpoints:
    """Endpoints of one organization's account, over one exchange of requests and answers."""

    def __init__(self, exchange: Exchange, organization_id: int) -> None:
        self.organization_id: Final = organization_id
        self._exchange = exchange

    def _in_organization(self, path: str) -> str:
        return f"organizations/{self.organization_id}/{path}"

    def _one(self, model: type[Model], path: str, params: Query | None = None) -> Model:
        return read_one(model, self._exchange.read(path, params))

    def _list(self, model: type[Model], path: str, params: Query | None = None) -> Listing[Model]:
        return read_several(model, self._exchange.read(path, params))

    def _sent(
        self,
        model: type[Model],
        method: str,
        path: str,
        fields: Request | Fields | None = None,
        *,
        within: float | None = None,
    ) -> Model:
        """Send fields under the resource's name, and read the resource that is answered."""
        given = fields.body() if isinstance(fields, Request) else fields
        body = None if given is None else {model.resource: given}
        return read_one(model, self._exchange.write(method, path, body, within=within))

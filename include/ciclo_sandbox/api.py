"""What the endpoints of the vendor's API share: their account, their transaction, and how they are described."""

from collections.abc import Callable, Coroutine
from functools import cache
from typing import Annotated, Any, Final, TypeVar

from fastapi import APIRouter, Depends, Path, Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, ConfigDict, Field, create_model

from ciclo_sandbox import parsing
from ciclo_sandbox.account import Account
from ciclo_sandbox.answers import Json

PREFIX: Final = "/api/v1"
PER_PAGE: Final = 50
MOST_PER_PAGE: Final = 100

Id = Annotated[int, Path(ge=1, le=2**63 - 1, description="Id.")]


async def _account(request: Request) -> Account:
    account: Account = request.state.account
    return account


TheAccount = Annotated[Account, Depends(_account)]


_Endpoint = TypeVar("_Endpoint", bound=Callable[..., Any])


class _Transacted(APIRoute):
    """A request that may change something is one transaction: committed before it is answered, or never there."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler, in a transaction unless it only reads."""
        handle = super().get_route_handler()
        if self.methods == {"GET"}:
            return handle

        async def transacted(request: Request) -> Response:
            account: Account = request.state.account
            with account.transaction():
                return await handle(request)

        return transacted


class Endpoints(APIRouter):
    """The endpoints of one noun."""

    def __init__(self, tag: str) -> None:
        super().__init__(prefix=PREFIX, route_class=_Transacted, tags=[tag])

    def change(self, path: str, **described: Any) -> Callable[[_Endpoint], _Endpoint]:
        """Register an endpoint that changes something: the vendor takes `PUT` and `PATCH` alike."""

        def register(endpoint: _Endpoint) -> _Endpoint:
            return self.put(path, **described)(self.patch(path, **described)(endpoint))

        return register


def page_asked(number: str | None, per_page: str | None) -> tuple[int, int]:
    """Return the page and the entries on it that a query asks for; what cannot be read is the default."""
    entries = parsing.integer(per_page) or PER_PAGE
    return min(max(parsing.integer(number) or 1, 1), 2**40), min(max(entries, 1), MOST_PER_PAGE)


class Errors(BaseModel):
    """Messages by field path, lists of them by field (contracts, customers, service items), or one message."""

    model_config = ConfigDict(extra="forbid")

    errors: dict[str, str | list[str]] | str = Field(description="What is wrong.")


_SAYS: Final = {
    400: "A search parameter is missing or wrong, or the body is not JSON.",
    401: "Wrong or missing token; empty body.",
    404: "The resource, or a parent of it, is not in this account; empty body.",
    422: "Refused by validation.",
}


def refused(*statuses: int) -> dict[int | str, Json]:
    """Return the description of the statuses besides success that an endpoint answers."""
    described: dict[int | str, Json] = {status: {"description": _SAYS[status]} for status in sorted({401, *statuses})}
    for status in {400, 422} & set(statuses):
        described[status]["model"] = Errors
    return described


@cache
def under(root: str, answer: Any) -> type[BaseModel]:
    """Return the model of an answer whose only field is `root`."""
    return _model(f"Answer of {root}", {root: (answer, "What was asked for.")})


@cache
def paged(root: str, answer: Any) -> type[BaseModel]:
    """Return the model of one page of an answer."""
    fields = {
        "page": (int, "Number of this page, from 1."),
        "per_page": (int, "Most entries on a page."),
        "total_pages": (int, "Number of pages."),
        root: (list[answer], "The entries of this page."),
    }
    return _model(f"Page of {root}", fields)


def _model(name: str, fields: dict[str, tuple[Any, str]]) -> type[BaseModel]:
    described: dict[str, Any] = {
        field: (kind, Field(description=sentence)) for field, (kind, sentence) in fields.items()
    }
    created: type[BaseModel] = create_model(name, __doc__="What the API answers.", **described)
    return created

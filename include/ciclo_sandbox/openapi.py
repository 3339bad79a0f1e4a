"""The vendor's API as a FastAPI application, its OpenAPI description, and a page that shows it without the internet."""

from functools import cache
from html import escape
from typing import Any, Final

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.responses import HTMLResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from ciclo_sandbox import (
    attachments,
    catalogue,
    contracts,
    customers,
    invoices,
    receivables,
    rules,
    search,
    subscriptions,
)
from ciclo_sandbox.account import Account
from ciclo_sandbox.answers import JSON, Answer, Json, ParameterRefusal, Refusal

NOT_JSON: Final = "O corpo da requisição não é um JSON válido."
# Searches before what is shown by id: their fixed words are not ids. What is asked most comes first.
_ROUTERS: Final = (
    search, invoices, rules, receivables, contracts, catalogue, customers, subscriptions, attachments,
)  # fmt: skip


def vendor_api(account: Account | None = None) -> FastAPI:
    """Return the vendor's API on an account; every endpoint is a coroutine that never waits."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    app.state.account = account
    for module in _ROUTERS:
        app.include_router(module.router)
    app.get("/health_check", response_model=Health)(check_health)
    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(RequestValidationError, _unreadable)
    app.add_exception_handler(HTTPException, _unknown)
    return app


class Health(BaseModel):
    """Whether the vendor is there."""

    status: str = Field(description="ok.")


async def check_health() -> Response:
    """Say that the vendor is there; no token is asked for."""
    return Response(b'{"status":"ok"}', media_type=JSON)


async def _refused(_request: Request, refusal: Any) -> Response:
    return _sent(refusal.answer)


async def _unreadable(_request: Request, error: Any) -> Response:
    # A path's id that is no id names nothing; all that is left is a body that is no JSON.
    in_path = any(problem["loc"][0] == "path" for problem in error.errors())
    return _sent(Answer(404) if in_path else ParameterRefusal(NOT_JSON).answer)


async def _unknown(_request: Request, error: Any) -> Response:
    return _sent(ParameterRefusal(NOT_JSON).answer if error.status_code == 400 else Answer(404))


def _sent(answer: Answer) -> Response:
    return Response(answer.body, answer.status, media_type=JSON if answer.body else None)


@cache
def openapi() -> Json:
    """Return the OpenAPI 3.1 description of the vendor's API."""
    described = get_openapi(
        title="Billimatic API, as the Ciclo sandbox answers it",
        version="v1",
        description="A model of the vendor's API made from its documents and recordings of its answers.",
        routes=vendor_api().routes,
    )
    for operation in (each for path in described["paths"].values() for each in path.values()):
        validation = operation["responses"].get("422", {}).get("content", {})
        if "HTTPValidationError" in str(validation):
            del operation["responses"]["422"]
    for framework in ("HTTPValidationError", "ValidationError"):
        described["components"]["schemas"].pop(framework, None)
    described["security"] = [{"token": []}]
    described["components"]["securitySchemes"] = {
        "token": {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "`Token token=<TOKEN>`",
        }
    }
    return described


def add_documentation(app: FastAPI) -> None:
    """Serve `/api/openapi.json` and `/api/docs`."""

    @app.get("/api/openapi.json")
    async def schema() -> Response:
        return Response(orjson.dumps(openapi()), media_type="application/json")

    @app.get("/api/docs")
    async def docs() -> HTMLResponse:
        return HTMLResponse(page())


@cache
def page() -> str:
    """Return the description as one HTML page that needs nothing else: operations, then models."""
    described = openapi()
    operations = "".join(
        f"<details><summary><b>{method.upper()}</b> <code>{escape(path)}</code> {escape(operation['description'])}"
        f"</summary><ul>{''.join(_parameter(each) for each in operation.get('parameters', []))}</ul>"
        f"<p>{_links(operation.get('requestBody', {}))} → {_links(operation['responses'])}</p></details>"
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    )
    models = "".join(
        f'<h3 id="{escape(name)}">{escape(name)}</h3><p>{escape(schema.get("description", ""))}</p><table>'
        + "".join(
            f"<tr><td><code>{escape(field)}</code></td>"
            f"<td>{escape(each.get('description', ''))} {_links(each)}</td></tr>"
            for field, each in schema.get("properties", {}).items()
        )
        + "</table>"
        for name, schema in described["components"]["schemas"].items()
    )
    return _PAGE.format(title=escape(described["info"]["title"]), operations=operations, models=models)


def _parameter(parameter: Json) -> str:
    return f"<li><code>{escape(parameter['name'])}</code> {escape(parameter.get('description', ''))}</li>"


def _links(schema: Json) -> str:
    """Return links to the models that a schema mentions."""
    found = orjson.dumps(schema).decode().split('"#/components/schemas/')[1:]
    return " ".join(f'<a href="#{escape(name)}">{escape(name)}</a>' for name in (rest.split('"')[0] for rest in found))


_PAGE: Final = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>
:root {{ color-scheme: light dark }} body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto;
padding: 0 1rem }} details {{ border-bottom: 1px solid #8884; padding: .4rem 0 }} summary {{ cursor: pointer }}
td {{ padding: .1rem 1rem .1rem 0; vertical-align: top }} code {{ font-size: .95em }}
</style></head><body><h1>{title}</h1><p><a href="openapi.json">openapi.json</a></p>
<h2>Operations</h2>{operations}<h2>Models</h2>{models}</body></html>
"""

"""OpenAPI of the vendor's API, and a page that shows it without the internet.

The rule: everything here is derived from the table of operations and the models; nothing is written twice.
"""

from functools import cache
from html import escape
from typing import Any, Final

import orjson
from fastapi import FastAPI
from fastapi.responses import HTMLResponse, Response
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from ciclo_sandbox.answers import Json
from ciclo_sandbox.operations import OPERATIONS, Operation

_REF: Final = "#/components/schemas/{model}"
_SAYS: Final = {
    200: "Found or changed.",
    201: "Created.",
    204: "Removed.",
    400: "A search parameter is missing or wrong, or the body is not JSON.",
    401: "Wrong or missing token; empty body.",
    404: "The resource, or a parent of it, is not in this account; empty body.",
    422: "Refused by validation.",
}
_MESSAGE: Final[Json] = {"type": "string"}
_ERROR_BODIES: Final[Json] = {
    "Errors": {
        "description": "Messages by field path, lists of them by field (contracts, service items), or one message.",
        "type": "object",
        "required": ["errors"],
        "additionalProperties": False,
        "properties": {
            "errors": {
                "anyOf": [
                    _MESSAGE,
                    {
                        "type": "object",
                        "additionalProperties": {"anyOf": [_MESSAGE, {"type": "array", "items": _MESSAGE}]},
                    },
                ]
            }
        },
    }
}


def add_documentation(app: FastAPI) -> None:
    """Serve `/api/openapi.json` and `/api/docs`."""

    @app.get("/api/openapi.json")
    async def schema() -> Response:
        return Response(orjson.dumps(openapi()), media_type="application/json")

    @app.get("/api/docs")
    async def docs() -> HTMLResponse:
        return HTMLResponse(page())


@cache
def openapi() -> Json:
    """Return the OpenAPI 3.1 description of the vendor's API."""
    paths: dict[str, Json] = {}
    for operation in OPERATIONS:
        for method in operation.methods:
            paths.setdefault(f"/api/v1/{operation.path}", {})[method.lower()] = _operation(operation, method)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Billimatic API, as the Ciclo sandbox answers it",
            "version": "v1",
            "description": "A model of the vendor's API made from its documents and recordings of its answers.",
        },
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "token": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "Authorization",
                    "description": "`Token token=<TOKEN>`",
                }
            },
            "schemas": _schemas(),
        },
    }


def _schemas() -> Json:
    answers = {operation.answer for operation in OPERATIONS if operation.answer}
    forms = {operation.form for operation in OPERATIONS if operation.form}
    by_name: list[tuple[type[BaseModel], Any]] = [
        *((model, "serialization") for model in sorted(answers, key=lambda model: model.__name__)),
        *((model, "validation") for model in sorted(forms, key=lambda model: model.__name__)),
    ]
    _, described = models_json_schema(by_name, ref_template=_REF)
    schemas: Json = described["$defs"]
    return schemas | _ERROR_BODIES


def _operation(operation: Operation, method: str) -> Json:
    handler = operation.handler
    described: Json = {
        "operationId": f"{method.lower()}_{handler.__module__.rsplit('.', 1)[-1]}_{handler.__name__}",
        "summary": (handler.__doc__ or "").splitlines()[0],
        "tags": [handler.__module__.rsplit(".", 1)[-1]],
        "parameters": [*_path_parameters(operation), *_query_parameters(operation)],
        "responses": _responses(operation),
    }  # fmt: skip
    if operation.form is not None:
        described["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": _body_schema(operation, operation.form)}},
        }
    return described


def _path_parameters(operation: Operation) -> list[Json]:
    names = [segment[1:-1] for segment in operation.path.split("/") if segment.startswith("{")]
    schema = {"type": "integer", "minimum": 1, "maximum": 2**63 - 1}
    return [{"name": name, "in": "path", "required": True, "schema": schema} for name in names]


def _query_parameters(operation: Operation) -> list[Json]:
    if operation.query is None:
        return []
    schema = operation.query.model_json_schema()
    required = schema.get("required", [])
    return [
        {
            "name": name,
            "in": "query",
            "required": name in required,
            "description": described.pop("description"),
            "schema": {"type": next(iter(_types(described)))},
        }
        for name, described in schema["properties"].items()
    ]


def _types(described: Json) -> list[str]:
    return [described["type"]] if "type" in described else [choice["type"] for choice in described["anyOf"]]


def _body_schema(operation: Operation, form: type[BaseModel]) -> Json:
    reference = {"$ref": _REF.format(model=form.__name__)}
    if operation.unwrapped:
        return reference
    return {"type": "object", "required": [operation.root], "properties": {operation.root: reference}}


def _responses(operation: Operation) -> Json:
    responses: Json = {str(operation.status): {"description": _SAYS[operation.status]}}
    if operation.answer is not None:
        responses[str(operation.status)]["content"] = {"application/json": {"schema": _answer_schema(operation)}}
    for status in sorted({401, *operation.failures}):
        responses[str(status)] = {"description": _SAYS[status]}
        if status in (400, 422):
            reference = {"$ref": _REF.format(model="Errors")}
            responses[str(status)]["content"] = {"application/json": {"schema": reference}}
    return responses


def _answer_schema(operation: Operation) -> Json:
    reference: Json = {"$ref": _REF.format(model=operation.answer.__name__)} if operation.answer else {}
    properties: Json = {operation.root: {"type": "array", "items": reference} if operation.many else reference}
    if operation.paged:
        properties = {name: {"type": "integer"} for name in ("page", "per_page", "total_pages")} | properties
    return {"type": "object", "required": list(properties), "additionalProperties": False, "properties": properties}


@cache
def page() -> str:
    """Return the documentation as one HTML page that needs nothing else."""
    described = openapi()
    operations = "".join(
        _operation_html(method, path, operation)
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    )
    models = "".join(_model_html(name, schema) for name, schema in described["components"]["schemas"].items())
    return _PAGE.format(title=escape(described["info"]["title"]), operations=operations, models=models)


def _operation_html(method: str, path: str, operation: Json) -> str:
    asks = operation.get("requestBody")
    body = f"<p>Body: {_reference_html(asks['content']['application/json']['schema'])}</p>" if asks else ""
    parameters = "".join(
        f"<li><code>{escape(each['name'])}</code> {escape(each.get('description', 'Id.'))}</li>"
        for each in operation["parameters"]
    )
    answers = "".join(
        f"<li><b>{status}</b> {escape(answer['description'])} "
        f"{_reference_html(answer['content']['application/json']['schema']) if 'content' in answer else ''}</li>"
        for status, answer in operation["responses"].items()
    )
    return (
        f"<details><summary><b>{method.upper()}</b> <code>{escape(path)}</code> "
        f"{escape(operation['summary'])}</summary>"
        f"<ul>{parameters}</ul>{body}<ul>{answers}</ul></details>"
    )


def _reference_html(schema: Json) -> str:
    """Return links to the models that a schema mentions."""
    found = orjson.dumps(schema).decode().split('"#/components/schemas/')[1:]
    names = [rest.partition('"')[0] for rest in found]
    return " ".join(f'<a href="#{escape(name)}">{escape(name)}</a>' for name in names)


def _model_html(name: str, schema: Json) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(field)}</code></td><td>{escape(described.get('description', ''))} "
        f"{_reference_html(described)}</td></tr>"
        for field, described in schema.get("properties", {}).items()
    )
    said = escape(schema.get("description", ""))
    return f'<h3 id="{escape(name)}">{escape(name)}</h3><p>{said}</p><table>{rows}</table>'


_PAGE: Final = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>
:root {{ color-scheme: light dark }} body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto;
padding: 0 1rem }} details {{ border-bottom: 1px solid #8884; padding: .4rem 0 }} summary {{ cursor: pointer }}
td {{ padding: .1rem 1rem .1rem 0; vertical-align: top }} code {{ font-size: .95em }}
</style></head><body><h1>{title}</h1><p><a href="openapi.json">openapi.json</a></p>
<h2>Operations</h2>{operations}<h2>Models</h2>{models}</body></html>
"""

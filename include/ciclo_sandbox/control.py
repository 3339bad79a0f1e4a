"""The control plane, under `/_sandbox`: state, clock, faults, what was asked, what customers and operators do.

It is for the tests and the person at the keyboard, on loopback; the vendor has nothing of it. Its endpoints are
coroutines: they run in the one event loop.
"""

import datetime as dt
from collections.abc import Awaitable, Callable
from datetime import date
from decimal import Decimal
from functools import partial
from typing import Annotated, Any

import orjson
from fastapi import Body, FastAPI, HTTPException, Query, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict
from starlette.requests import Request as HttpRequest
from starlette.types import ASGIApp, Receive, Scope, Send

from ciclo_sandbox import lifecycle
from ciclo_sandbox.answers import Json, Refusal
from ciclo_sandbox.app import Sandbox, add_documentation
from ciclo_sandbox.behaviour import WebhookTarget
from ciclo_sandbox.faults import Fault
from ciclo_sandbox.state import StateError, dump_state, load_state, parse_state

_ON_SCREENS_ONLY = ("customer_id", "customer_type")


class Today(BaseModel):
    """The sandbox's date, and its time of day, which is the wall's unless it is given."""

    model_config = ConfigDict(extra="forbid")

    today: date
    time: dt.time | None = None


class Day(BaseModel):
    """A day: today, unless it says otherwise."""

    model_config = ConfigDict(extra="forbid")

    on: date | None = None


class Receipt(Day):
    """A receipt: in full, unless it says otherwise."""

    value: Decimal | None = None


class Complaint(BaseModel):
    """What the finance system has to say."""

    model_config = ConfigDict(extra="forbid")

    message: str | None = None


def control_plane(sandbox: Sandbox) -> ASGIApp:
    """Return the control plane's application."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(StateError, _unreadable)
    app.add_exception_handler(RequestValidationError, _invalid)
    for add in (_add_state, _add_clock, _add_faults, _add_requests, _add_invoices, _add_contracts, _add_webhooks):
        add(app, sandbox)
    add_documentation(app)
    return _taking_json(app)


def _taking_json(app: ASGIApp) -> ASGIApp:
    """Read every body as JSON, whatever its header says: `curl -d` calls it a form."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        kept = [header for header in scope["headers"] if header[0] != b"content-type"]
        await app({**scope, "headers": [*kept, (b"content-type", b"application/json")]}, receive, send)

    return serve


async def _refused(_request: HttpRequest, refusal: Any) -> Response:
    return Response(refusal.answer.body, refusal.answer.status, media_type="application/json")


async def _unreadable(_request: HttpRequest, error: Exception) -> Response:
    return JSONResponse({"errors": str(error)}, 422)


async def _invalid(_request: HttpRequest, error: Any) -> Response:
    first = error.errors()[0]
    place = ".".join(str(step) for step in first["loc"] if step != "body")
    return JSONResponse({"errors": f"{place}: {first['msg']}" if place else first["msg"]}, 422)


def _add_state(app: FastAPI, sandbox: Sandbox) -> None:
    account = sandbox.account

    def replace_by(content: bytes) -> None:
        with account.transaction():
            load_state(account, parse_state(content, source="state"))
        sandbox.webhooks.forget()

    @app.get("/_sandbox/state")
    async def show() -> Response:
        # All of it before anything else is served: a state is of one moment.
        return Response(b"".join(dump_state(account)), media_type="application/json")

    @app.put("/_sandbox/state")
    async def replace(request: HttpRequest) -> Json:
        replace_by(await request.body())
        return {"today": account.clock.today.isoformat()}

    @app.delete("/_sandbox/state", status_code=204)
    async def clear() -> None:
        replace_by(b"{}")


def _add_clock(app: FastAPI, sandbox: Sandbox) -> None:
    account = sandbox.account

    def shown() -> Json:
        now = account.clock.now()
        return {"today": now.date().isoformat(), "time": now.time().isoformat(timespec="seconds")}

    @app.get("/_sandbox/clock")
    async def show() -> Json:
        return shown()

    @app.put("/_sandbox/clock")
    async def move(clock: Today) -> Json:
        sandbox.move(clock.today, clock.time)
        return shown()


def _add_faults(app: FastAPI, sandbox: Sandbox) -> None:
    @app.get("/_sandbox/faults")
    async def show() -> list[Json]:
        return [fault.model_dump() for fault in sandbox.faults.active]

    @app.put("/_sandbox/faults")
    async def replace(faults: list[Fault] | Fault) -> list[Json]:
        given = faults if isinstance(faults, list) else [faults]
        sandbox.faults.active = [Fault.model_validate(fault.model_dump()) for fault in given]
        return [fault.model_dump() for fault in sandbox.faults.active]

    @app.delete("/_sandbox/faults", status_code=204)
    async def clear() -> None:
        sandbox.faults.active = []


def _add_requests(app: FastAPI, sandbox: Sandbox) -> None:
    @app.get("/_sandbox/requests")
    async def show(
        method: str | None = None,
        path: str | None = None,
        status: int | None = None,
        since: Annotated[int, Query(ge=0)] = 0,
    ) -> Response:
        entries = sandbox.requests.entries(method=method, path=path, status=status, since=since)
        return Response(orjson.dumps(list(entries)), media_type="application/json")

    @app.get("/_sandbox/requests/count")
    async def count() -> Json:
        return sandbox.requests.counts()

    @app.delete("/_sandbox/requests", status_code=204)
    async def clear() -> None:
        sandbox.requests.clear()


def _add_invoices(app: FastAPI, sandbox: Sandbox) -> None:
    account = sandbox.account
    for name, act in (
        ("undo_emission", lifecycle.undo_emission),
        ("cancel", lifecycle.cancel),
        ("undo_cancellation", lifecycle.undo_cancellation),
    ):
        app.post(f"/_sandbox/invoices/{{number}}/{name}")(_on_invoice(sandbox, partial(act, account)))

    @app.post("/_sandbox/invoices/{number}/emit")
    async def emit(number: int, day: Day | None = None) -> Json:
        on = (day and day.on) or account.clock.today
        return await _on_invoice(sandbox, lambda invoice: lifecycle.emit(account, invoice, on))(number)

    @app.post("/_sandbox/invoices/{number}/edit")
    async def edit(number: int, changes: Annotated[Json, Body()]) -> Response:
        return _edited(sandbox, number, changes.get("invoice", changes))

    @app.post("/_sandbox/receivables/{number}/receive")
    async def receive(number: int, receipt: Receipt | None = None) -> Json:
        given = receipt or Receipt()
        day = given.on or account.clock.today
        return _on_receivable(sandbox, number, lambda i, r: lifecycle.receive(account, i, r, day, given.value))

    @app.post("/_sandbox/receivables/{number}/undo_receival")
    async def undo_receival(number: int) -> Json:
        return _on_receivable(sandbox, number, partial(lifecycle.undo_receival, account))

    @app.post("/_sandbox/receivables/{number}/receivement_error")
    async def receivement_error(number: int, complaint: Complaint | None = None) -> Json:
        message = complaint.message if complaint else None
        return _on_receivable(sandbox, number, lambda i, r: lifecycle.receivement_error(account, i, r, message))


def _on_invoice(sandbox: Sandbox, act: Callable[[Json], None]) -> Callable[[int], Awaitable[Json]]:
    async def endpoint(number: int) -> Json:
        account = sandbox.account
        with account.transaction():
            act(lifecycle.find_invoice(account, number))
        sandbox.tell()
        return {"invoice": orjson.loads(account.invoices.answer(number) or b"{}")}

    return endpoint


def _edited(sandbox: Sandbox, number: int, changes: Json) -> Response:
    """Do what a person does on an invoice's screen: what the API takes, and another customer besides."""
    account = sandbox.account
    contract = lifecycle.find_invoice(account, number)["contract_id"]
    answer = sandbox.operate("PATCH", f"/api/v1/contracts/{contract}/invoices/{number}", {"invoice": changes})
    customer = {field: changes[field] for field in _ON_SCREENS_ONLY if field in changes}
    if answer.status != 200 or not customer:
        return Response(answer.body, answer.status, media_type="application/json")
    with account.transaction():
        account.invoices.change(lifecycle.find_invoice(account, number) | customer)
    return Response(b'{"invoice":' + (account.invoices.answer(number) or b"{}") + b"}", media_type="application/json")


def _on_receivable(sandbox: Sandbox, number: int, act: Callable[[Json, Json], None]) -> Json:
    account = sandbox.account
    with account.transaction():
        invoice, line = lifecycle.find_receivable(account, number)
        act(invoice, line)
    sandbox.tell()
    return {"invoice": orjson.loads(account.invoices.answer(invoice["id"]) or b"{}")}


def _add_contracts(app: FastAPI, sandbox: Sandbox) -> None:
    account = sandbox.account

    def becomes(state: str) -> Callable[[int], Awaitable[Json]]:
        async def endpoint(number: int) -> Json:
            with account.transaction():
                contract = account.contracts.get(account.contract(number)["id"]) or {}
                account.contracts.change(contract | {"state": state})
            return {"contract": orjson.loads(account.contracts.answer(number) or b"{}")}

        return endpoint

    app.post("/_sandbox/contracts/{number}/deactivate")(becomes("inactive"))
    app.post("/_sandbox/contracts/{number}/activate")(becomes("active"))


def _add_webhooks(app: FastAPI, sandbox: Sandbox) -> None:
    account = sandbox.account

    def aim_at(target: WebhookTarget | None) -> None:
        with account.transaction():
            account.behaviour = account.behaviour.model_copy(update={"webhook": target})
            account.remember("behaviour", account.behaviour.model_dump(mode="json"))

    @app.put("/_sandbox/webhook")
    async def aim(target: WebhookTarget) -> Json:
        aim_at(target)
        return target.model_dump(exclude={"secret"})

    @app.delete("/_sandbox/webhook", status_code=204)
    async def unaim() -> None:
        aim_at(None)

    @app.post("/_sandbox/webhook/test")
    def probe() -> Json:
        # The one endpoint off the event loop: it waits for the receiver.
        if account.behaviour.webhook is None:
            raise HTTPException(409, "no webhook is configured")
        return sandbox.webhooks.probe(account.behaviour.webhook)

    @app.get("/_sandbox/webhooks")
    async def deliveries() -> list[Json]:
        return sandbox.webhooks.deliveries()

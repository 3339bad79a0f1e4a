"""The control plane, under `/_sandbox`: state, clock, faults, what was asked, what customers and operators do.

It is for the tests and the person at the keyboard, on loopback; the vendor has nothing of it. Its endpoints are
coroutines: they run in the one event loop.
"""

import datetime as dt
import re
from collections.abc import Callable
from decimal import Decimal
from functools import cache, partial
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Body, Depends, FastAPI, HTTPException, Path, Query, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from starlette.requests import Request as HttpRequest
from starlette.types import ASGIApp, Receive, Scope, Send

from ciclo_sandbox import lifecycle
from ciclo_sandbox.account import Account
from ciclo_sandbox.answers import Json, Refusal
from ciclo_sandbox.app import Sandbox, add_documentation
from ciclo_sandbox.behaviour import WebhookTarget
from ciclo_sandbox.faults import Fault
from ciclo_sandbox.parsing import LARGEST_AMOUNT, CountableDay, Words
from ciclo_sandbox.state import StateError, dump_state, load_state, parse_state


class Today(BaseModel):
    """The sandbox's date, and its time of day, which is the wall's unless it is given."""

    model_config = ConfigDict(extra="forbid")

    today: CountableDay
    time: dt.time | None = None


class Day(BaseModel):
    """A day: today, unless it says otherwise."""

    model_config = ConfigDict(extra="forbid")

    on: CountableDay | None = None


class Receipt(Day):
    """A receipt: in full, unless it says otherwise."""

    value: Annotated[Decimal, Field(gt=-LARGEST_AMOUNT, lt=LARGEST_AMOUNT)] | None = None


class Complaint(BaseModel):
    """What the finance system has to say."""

    model_config = ConfigDict(extra="forbid")

    message: Words | None = None


class Customer(BaseModel):
    """Whom a person at the screens lets an invoice be for, which the API cannot be told."""

    customer_id: Annotated[int, Field(ge=1, le=2**63 - 1)] | None = None
    customer_type: Literal["Company", "Person"] | None = None


Number = Annotated[int, Path(ge=1, le=2**63 - 1)]
_Faults = Annotated[list[Fault], BeforeValidator(lambda given: given if isinstance(given, list) else [given])]
"""One alone may stand for a list of one."""


async def _sandbox(request: HttpRequest) -> Sandbox:
    sandbox: Sandbox = request.state.sandbox
    return sandbox


TheSandbox = Annotated[Sandbox, Depends(_sandbox)]
router = APIRouter(prefix="/_sandbox")


def control_plane(sandbox: Sandbox) -> ASGIApp:
    """Return a sandbox's control plane; a body is JSON whatever its header says: `curl -d` calls it a form."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        kept = [header for header in scope["headers"] if header[0] != b"content-type"]
        headers = [*kept, (b"content-type", b"application/json")]
        await _application()({**scope, "headers": headers, "state": {"sandbox": sandbox}}, receive, send)

    return serve


@cache  # its endpoints take longer to describe than a sandbox to start
def _application() -> FastAPI:
    """Return what every sandbox's control plane is: a request's state holds its sandbox."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(StateError, _unreadable)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(ValidationError, _invalid)
    app.include_router(router)
    add_documentation(app)
    return app


async def _refused(_request: HttpRequest, refusal: Any) -> Response:
    return Response(refusal.answer.body, refusal.answer.status, media_type="application/json")


async def _unreadable(_request: HttpRequest, error: Exception) -> Response:
    return JSONResponse({"errors": str(error)}, 422)


async def _invalid(_request: HttpRequest, error: Any) -> Response:
    first = error.errors()[0]
    place = ".".join(str(step) for step in first["loc"] if step != "body")
    return JSONResponse({"errors": f"{place}: {first['msg']}" if place else first["msg"]}, 422)


@router.get("/state")
async def show_state(sandbox: TheSandbox) -> Response:
    """Return everything in the sandbox, in the shape of the state file."""
    # All of it before anything else is served: a state is of one moment.
    return Response(b"".join(dump_state(sandbox.account)), media_type="application/json")


@router.put("/state")
async def replace_state(sandbox: TheSandbox, request: HttpRequest) -> Json:
    """Replace everything in the sandbox."""
    _replace_by(sandbox, await request.body())
    return {"today": sandbox.account.clock.today.isoformat()}


@router.delete("/state", status_code=204)
async def clear_state(sandbox: TheSandbox) -> None:
    """Empty the sandbox."""
    _replace_by(sandbox, b"{}")


def _replace_by(sandbox: Sandbox, content: bytes) -> None:
    with sandbox.account.transaction():
        load_state(sandbox.account, parse_state(content, source="state"))
    sandbox.forget()


@router.get("/clock")
async def show_clock(sandbox: TheSandbox) -> Json:
    """Return the sandbox's date and time of day."""
    now = sandbox.account.clock.now()
    return {"today": now.date().isoformat(), "time": now.time().isoformat(timespec="seconds")}


@router.put("/clock")
async def move_clock(sandbox: TheSandbox, clock: Today) -> Json:
    """Move the clock and let happen what comes due."""
    sandbox.move(clock.today, clock.time)
    return await show_clock(sandbox)


@router.get("/faults")
async def show_faults(sandbox: TheSandbox) -> list[Json]:
    """Return the faults in force."""
    return [fault.model_dump() for fault in sandbox.faults.active]


@router.put("/faults")
async def replace_faults(sandbox: TheSandbox, faults: _Faults) -> list[Json]:
    """Set the faults in force."""
    sandbox.faults.active = [Fault.model_validate(fault.model_dump()) for fault in faults]
    return await show_faults(sandbox)


@router.delete("/faults", status_code=204)
async def clear_faults(sandbox: TheSandbox) -> None:
    """Let requests go right again."""
    sandbox.faults.active = []


@router.get("/requests")
async def show_requests(
    sandbox: TheSandbox,
    method: str | None = None,
    path: str | None = None,
    status: int | None = None,
    since: Annotated[int, Query(ge=0)] = 0,
) -> Response:
    """Return what was asked."""
    try:
        re.compile(path or "")
    except re.error as error:
        return JSONResponse({"errors": f"path: not a regular expression: {error}"}, 422)
    entries = sandbox.requests.entries(method=method, path=path, status=status, since=since)
    return Response(orjson.dumps(list(entries)), media_type="application/json")


@router.get("/requests/count")
async def count_requests(sandbox: TheSandbox) -> Json:
    """Return how many requests there were."""
    return sandbox.requests.counts()


@router.delete("/requests", status_code=204)
async def clear_requests(sandbox: TheSandbox) -> None:
    """Forget what was asked."""
    sandbox.requests.clear()


@router.post("/invoices/{number}/undo_emission")
async def undo_emission(sandbox: TheSandbox, number: Number) -> Json:
    """Take an issue back."""
    return _on_invoice(sandbox, number, lifecycle.undo_emission)


@router.post("/invoices/{number}/cancel")
async def cancel(sandbox: TheSandbox, number: Number) -> Json:
    """Cancel an invoice."""
    return _on_invoice(sandbox, number, lifecycle.cancel)


@router.post("/invoices/{number}/undo_cancellation")
async def undo_cancellation(sandbox: TheSandbox, number: Number) -> Json:
    """Bring a cancelled invoice back."""
    return _on_invoice(sandbox, number, lifecycle.undo_cancellation)


@router.post("/invoices/{number}/emit")
async def emit(sandbox: TheSandbox, number: Number, day: Day | None = None) -> Json:
    """Mark an invoice as billed."""
    on = (day and day.on) or sandbox.account.clock.today
    return _on_invoice(sandbox, number, partial(lifecycle.emit, on=on))


def _on_invoice(sandbox: Sandbox, number: int, act: Callable[[Account, Json], None]) -> Json:
    account = sandbox.account
    with account.transaction():
        act(account, lifecycle.find_invoice(account, number))
    sandbox.tell()
    return {"invoice": orjson.loads(account.invoices.answer(number) or b"{}")}


@router.post("/invoices/{number}/edit")
async def edit(sandbox: TheSandbox, number: Number, changes: Annotated[Json, Body()]) -> Response:
    """Change an invoice as a person does on its screen."""
    inner = changes.get("invoice", changes)
    return _edited(sandbox, number, inner if isinstance(inner, dict) else {})


def _edited(sandbox: Sandbox, number: int, changes: Json) -> Response:
    """Do what a person does on an invoice's screen: what the API takes, and another customer besides."""
    account = sandbox.account
    customer = Customer.model_validate(changes).model_dump(exclude_unset=True)
    contract = lifecycle.find_invoice(account, number)["contract_id"]
    answer = sandbox.operate("PATCH", f"/api/v1/contracts/{contract}/invoices/{number}", {"invoice": changes})
    if answer.status != 200 or not customer:
        return Response(answer.body, answer.status, media_type="application/json")
    with account.transaction():
        account.invoices.change(lifecycle.find_invoice(account, number) | customer)
    return Response(b'{"invoice":' + (account.invoices.answer(number) or b"{}") + b"}", media_type="application/json")


@router.post("/receivables/{number}/receive")
async def receive(sandbox: TheSandbox, number: Number, receipt: Receipt | None = None) -> Json:
    """Receive a receivable."""
    given = receipt or Receipt()
    day = given.on or sandbox.account.clock.today
    return _on_receivable(sandbox, number, partial(lifecycle.receive, on=day, value=given.value))


@router.post("/receivables/{number}/undo_receival")
async def undo_receival(sandbox: TheSandbox, number: Number) -> Json:
    """Take a receipt back."""
    return _on_receivable(sandbox, number, lifecycle.undo_receival)


@router.post("/receivables/{number}/receivement_error")
async def receivement_error(sandbox: TheSandbox, number: Number, complaint: Complaint | None = None) -> Json:
    """Let the finance system refuse a receivable."""
    message = complaint.message if complaint else None
    return _on_receivable(sandbox, number, partial(lifecycle.receivement_error, message=message))


def _on_receivable(sandbox: Sandbox, number: int, act: Callable[[Account, Json, Json], None]) -> Json:
    account = sandbox.account
    with account.transaction():
        invoice, line = lifecycle.find_receivable(account, number)
        act(account, invoice, line)
    sandbox.tell()
    return {"invoice": orjson.loads(account.invoices.answer(invoice["id"]) or b"{}")}


@router.post("/contracts/{number}/deactivate")
async def deactivate(sandbox: TheSandbox, number: Number) -> Json:
    """Make a contract inactive."""
    return _becomes(sandbox.account, number, "inactive")


@router.post("/contracts/{number}/activate")
async def activate(sandbox: TheSandbox, number: Number) -> Json:
    """Make a contract active again."""
    return _becomes(sandbox.account, number, "active")


def _becomes(account: Account, number: int, state: str) -> Json:
    with account.transaction():
        contract = account.contracts.get(account.contract(number)["id"]) or {}
        account.contracts.change(contract | {"state": state})
    return {"contract": orjson.loads(account.contracts.answer(number) or b"{}")}


@router.put("/webhook")
async def aim(sandbox: TheSandbox, target: WebhookTarget) -> Json:
    """Send webhooks to a receiver."""
    _aim_at(sandbox.account, target)
    return target.model_dump(exclude={"secret"})


@router.delete("/webhook", status_code=204)
async def unaim(sandbox: TheSandbox) -> None:
    """Send webhooks to nobody."""
    _aim_at(sandbox.account, None)


def _aim_at(account: Account, target: WebhookTarget | None) -> None:
    with account.transaction():
        account.behaviour = account.behaviour.model_copy(update={"webhook": target})
        account.remember("behaviour", account.behaviour.model_dump(mode="json"))


@router.post("/webhook/test")
def probe(sandbox: TheSandbox) -> Json:
    """Try the receiver of webhooks now."""
    # The one endpoint off the event loop: it waits for the receiver.
    target = sandbox.account.behaviour.webhook
    if target is None:
        raise HTTPException(409, "no webhook is configured")
    return sandbox.webhooks.probe(target)


@router.get("/webhooks")
async def show_deliveries(sandbox: TheSandbox) -> list[Json]:
    """Return what became of the webhooks."""
    return sandbox.webhooks.deliveries()

"""Terms of a contract that the vendor cannot hold: which there are, entering one, letting one end."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from ciclo.console.database import LedgerDep
from ciclo.console.pages import View, ViewDep, render
from ciclo.console.routes.parameters import RowId, UnreadableField
from ciclo.console.security import FormDep
from ciclo.domain.contract_terms import WITH_DAY, WITH_INDEX, WITH_PERCENT, ContractTerm, TermKind, said_of_term
from ciclo.domain.errors import DomainError
from ciclo.domain.money import parse_typed
from ciclo.domain.price_index import price_index
from ciclo.ledger.actions import ActionOutcome, NoSuchRow, NotPossible, UnusableNote, agree_term, end_term
from ciclo.ledger.queries.contracts import contract_page
from ciclo.ledger.repositories.prices import rows_of_contract
from ciclo.locale import _

router = APIRouter(prefix="/contracts/{contract_id}/terms")


@router.get("")
def show_terms(view: ViewDep, contract_id: RowId) -> HTMLResponse:
    """Show the terms of a contract, and a form for another one."""
    return _page(view, contract_id, {})


@router.post("")
def agree(view: ViewDep, fields: FormDep, ledger: LedgerDep, contract_id: RowId) -> HTMLResponse:
    """Enter a term in this user's name; what cannot be is said beside the form."""
    try:
        term = _term(fields, author=view.viewer.user.name)
        with ledger.writing() as session, session.begin():
            note = fields.get("note", "")
            agree_term(session, view.organization_id, contract_id, term, note=note, at=view.now)
    except (DomainError, NotPossible, UnusableNote) as error:
        return _page(view, contract_id, fields, problem=str(error), status=422)
    view.session.rollback()  # what follows must see what was just committed
    said = _("Entered: {term}.").format(term=said_of_term(term))
    return _page(view, contract_id, {}, outcome=ActionOutcome(changed=True, message=said))


@router.post("/{term_id}/end")
def end(view: ViewDep, fields: FormDep, ledger: LedgerDep, contract_id: RowId, term_id: RowId) -> HTMLResponse:
    """Let a term end on a day."""
    try:
        last_day, note = _day(fields.get("last_day", "")), fields.get("note", "")
        if last_day is None:
            raise UnreadableField(_("Give the last day."))
        with ledger.writing() as session, session.begin():
            person, at = view.viewer.user.name, view.now
            outcome = end_term(session, view.organization_id, term_id, last_day, person=person, note=note, at=at)
    except (DomainError, UnusableNote) as error:
        return _page(view, contract_id, {}, problem=str(error), status=422)
    view.session.rollback()
    return _page(view, contract_id, {}, outcome=outcome)


def _term(fields: Mapping[str, str], *, author: str) -> ContractTerm:
    """Return the form's term.

    Raises:
        DomainError: a field cannot be read, or the kind needs another one.
    """
    given = {name: value.replace("\0", "").strip() for name, value in fields.items()}
    kind = given.get("kind", "")
    if kind not in set(TermKind):
        raise UnreadableField(_("Choose what was agreed."))
    first = _day(given.get("effective_from", ""))
    if first is None:
        raise UnreadableField(_("Give the first execution date that it applies to."))
    rule = given.get("rule", "")
    return ContractTerm(
        kind=TermKind(kind),
        percent=parse_typed(given["percent"], _("Per cent")) if given.get("percent") else None,
        index=price_index(given["index"]) if given.get("index") else None,
        day=_day(given.get("day", "")),
        rule_id=int(rule) if rule.isascii() and rule.isdecimal() else None,
        effective_from=first,
        effective_to=_day(given.get("effective_to", "")),
        author=author,
        clause=given.get("clause", ""),
    )


def _day(text: str) -> date | None:
    if not text.strip():
        return None
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise UnreadableField.holding(text) from None


def _page(
    view: View,
    contract_id: int,
    fields: Mapping[str, str],
    *,
    problem: str = "",
    status: int = 200,
    outcome: ActionOutcome | None = None,
) -> HTMLResponse:
    found = contract_page(view.session, view.organization_id, contract_id)
    if found is None:
        raise NoSuchRow("contract", contract_id)
    shown: dict[str, Any] = {
        "one": found.contract,
        "rules": found.rules,
        "terms": rows_of_contract(view.session, view.organization_id, contract_id),
        "kinds": tuple(kind.value for kind in TermKind),
        "needs": {
            "percent": sorted(WITH_PERCENT),
            "index": sorted(WITH_INDEX),
            "day": sorted(WITH_DAY),
        },
        "fields": fields,
        "problem": problem,
        "outcome": outcome,
    }
    return render(view, "terms.html", tab="contracts", status=status, **shown)

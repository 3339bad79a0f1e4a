"""Letters to customers in words: a readjustment's facts, from its passport, put into a template.

A company may have a template of its own, a Jinja2 file that becomes the whole page. It is rendered in a sandbox:
it sees the facts of the letter and nothing else, includes no other file, and whatever it writes is escaped. It may set
`subject`. What it gets is `letter` (`ciclo.domain.letter.Letter`), the filters `brl`, `day`, `month`, `number`, and
`style`, the style sheet of the templates that ship.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from jinja2 import StrictUndefined, TemplateError, select_autoescape
from jinja2.sandbox import ImmutableSandboxedEnvironment
from sqlalchemy import select
from sqlalchemy.orm import Session

from ciclo.domain.letter import Letter, LetterKind, LetterPrice, LetterState
from ciclo.domain.money import brl, number
from ciclo.domain.price_index import price_index
from ciclo.domain.wording import month_words, state_words
from ciclo.ledger.actions import ActionOutcome, NoSuchRow, NotPossible, usable_note
from ciclo.ledger.errors import LedgerError
from ciclo.ledger.queries.price_updates import passport
from ciclo.ledger.repositories import Actor, LetterRepository, Occasion
from ciclo.ledger.tables import Letter as Row
from ciclo.ledger.tables import Organization, PriceUpdateExecution
from ciclo.locale import PORTUGUESE, _, language, speaking

TEMPLATES = Path(__file__).parent / "templates"


class LetterTemplateError(LedgerError):
    """The template of the letters cannot be used; a person corrects it, nothing was sent."""

    def __init__(self, path: Path, error: Exception) -> None:
        text = _("The letters' template {file} cannot be used: {error}")
        super().__init__(text.format(file=path.name, error=str(error) or type(error).__name__))


@dataclass(frozen=True, slots=True)
class LetterStyle:
    """How an installation writes letters: a template of its own, or None for the one that ships; in which language."""

    template: Path | None = None
    locale: str = PORTUGUESE

    def written(self, letter: Letter) -> tuple[str, str]:
        """Return a letter's subject and its page, in the installation's language.

        Raises:
            LetterTemplateError: the template is not there, or cannot be rendered.
        """
        with speaking(self.locale):
            path = self.template or TEMPLATES / f"letter.{language()}.html"
            environment = ImmutableSandboxedEnvironment(
                autoescape=select_autoescape(default=True, default_for_string=True),
                undefined=StrictUndefined,
                trim_blocks=True,
                lstrip_blocks=True,
            )
            environment.filters |= {"brl": brl, "day": _day, "month": month_words, "number": number}
            try:
                style = (TEMPLATES / "letter.css").read_text(encoding="utf-8")
                template = environment.from_string(path.read_text(encoding="utf-8"))
                made = template.make_module({"letter": letter, "style": style})
                subject, page = str(getattr(made, "subject", "")), str(made)
            except (OSError, UnicodeError, TemplateError, ArithmeticError, TypeError, ValueError) as error:
                raise LetterTemplateError(path, error) from error
            if not subject:
                subject = _("Readjustment of contract {contract} on {day}").format(
                    contract=letter.contract or letter.contract_id, day=_day(letter.execution_date)
                )
            return " ".join(subject.split()), page


def letter_after(
    session: Session, organization_id: int, execution_id: int, *, customer: str, written_on: date
) -> Letter | None:
    """Return the letter about a readjustment that is in the prices; None if there is no such one."""
    document = passport(session, organization_id, execution_id)
    if document is None:
        return None
    return Letter(
        kind=LetterKind.AFTER,
        written_on=written_on,
        organization=organization_name(session, organization_id),
        customer=customer,
        contract_id=int(document["contract_id"]),
        contract=document["contract"],
        rule_id=int(document["rule_id"]),
        rule=document["rule"],
        index=price_index(document["index"]),
        execution_date=date.fromisoformat(document["execution_date"]),
        prices=tuple(_price(price) for price in document["prices"]),
        law=document["law"],
        clauses=tuple(document["clauses"]),
        passport=document["hash"],
    )


def organization_name(session: Session, organization_id: int) -> str:
    """Return what the organization is called; its number where the vendor has told no name."""
    row = session.get(Organization, organization_id)
    return (row.name if row is not None else None) or str(organization_id)


def term_words(step: dict[str, Any]) -> str:
    """Say what a contract's term is, with its per cent and where it stands."""
    percent = f" {number(Decimal(step['percent']))} %" if step.get("percent") else ""
    clause = f" ({step['clause']})" if step.get("clause") else ""
    return f"{state_words(step['kind'])}{percent}{clause}"


def _price(price: dict[str, Any]) -> LetterPrice:
    ours_led_to_it = price["factor"] is not None and price.get("ours", price["new"]) == price["new"]
    return LetterPrice(
        service=price["service"],
        old=Decimal(price["old"]),
        new=Decimal(price["new"]),
        factor=Decimal(price["factor"]) if ours_led_to_it else None,
        months=tuple(date.fromisoformat(f"{month}-01") for month in price["months"]) if ours_led_to_it else (),
        terms=tuple(term_words(step) for step in price["terms"]),
    )


def _day(value: date) -> str:
    return f"{value:%d/%m/%Y}"


# -- what was written, and asking for more -----------------------------------------------------------------------------


def letters_of(session: Session, organization_id: int, execution_id: int) -> Sequence[Row]:
    """Return the letters about an execution, newest first."""
    query = select(Row).where(Row.organization_id == organization_id, Row.execution_id == execution_id)
    return session.scalars(query.order_by(Row.id.desc())).all()


def letter_page(
    session: Session, organization_id: int, execution_id: int, kind: LetterKind, style: LetterStyle, *, today: date
) -> str:
    """Return a letter's page: as it was sent last, else as one after the readjustment would be written today.

    Raises:
        NotPossible: nothing was sent, and there is nothing to write about yet.
        LetterTemplateError: the company's own template cannot be used.
    """
    for row in letters_of(session, organization_id, execution_id):
        if row.kind == kind and row.body:
            return row.body
    letter = None
    if kind is LetterKind.AFTER:
        letter = letter_after(session, organization_id, execution_id, customer="", written_on=today)
    if letter is None:
        raise NotPossible(_("There is no letter of this kind: it is written when its day has come."))
    return style.written(letter)[1]


def ask_letter(
    session: Session,
    organization_id: int,
    execution_id: int,
    *,
    kind: str,
    person: str,
    note: str,
    at: datetime,
) -> ActionOutcome:
    """Let the next run of apply_price_updates write to the customer, also where letters are off or one was sent.

    Raises:
        UnusableNote: the note is empty or too long.
        NoSuchRow: the organization has no such execution.
        NotPossible: a letter of this kind is under way.
    """
    text, wanted = usable_note(note), LetterKind(kind)
    execution = session.get(PriceUpdateExecution, execution_id, with_for_update=True)
    if execution is None or execution.organization_id != organization_id:
        raise NoSuchRow("price update", execution_id)
    letters = LetterRepository(session, organization_id, Actor(person=person))
    last = letters.newest([execution_id]).get((execution_id, wanted.value))
    if last is not None and last.state == LetterState.ASKED:
        said = _("Already asked for by {who}.").format(who=last.person)
        return ActionOutcome(changed=False, message=said)
    if last is not None and last.state == LetterState.SENDING:
        raise NotPossible(_("It is being handed to the mail server at this moment."))
    letters.ask(Occasion(execution_id, execution.contract_id, wanted), person=person, note=text, at=at)
    return ActionOutcome(changed=True, message=_("The next run of apply_price_updates writes to the customer."))

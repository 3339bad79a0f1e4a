"""Letters to customers about readjustments: before, on `remind_at`, or after. Off unless an installation wants them.

A letter is claimed and committed before it is handed to the mail server, so that a run which dies in between leaves it
in doubt, and nobody writes to a customer twice. Only what the server has certainly taken for nobody is tried again, by
the next run, until the day of the readjustment (before) or a week after it was applied (after).

No figure is announced that a person has yet to decide about, and nothing is written where no price changes.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import NamedTuple

from ciclo.billimatic import ApiError, AuthenticationError, NotFoundError, TransientApiError
from ciclo.billimatic.models import Contract
from ciclo.domain.continuity import Continuity
from ciclo.domain.contract_terms import in_force
from ciclo.domain.errors import DomainError, MissingIndexValue
from ciclo.domain.letter import NOT_SENT, Letter, LetterKind, LetterPrice, Letters, LetterState, addresses
from ciclo.domain.passport import LAW
from ciclo.domain.price_index import WindowPolicy, window
from ciclo.domain.states import IN_PRICES, UNSENT
from ciclo.failpoints import failpoint
from ciclo.jobs.context import JobContext
from ciclo.jobs.price_updates.outcome import UpdateOptions
from ciclo.jobs.price_updates.propose import IndexBook, Proposal, expected
from ciclo.jobs.price_updates.remind import coming_reminders, previewed_prices
from ciclo.jobs.price_updates.updated_rule import Due, UpdatedRule, updated_rule
from ciclo.jobs.rules.ask import Alone
from ciclo.jobs.rules.schedules import domain_update
from ciclo.jobs.rules.store import Problem
from ciclo.ledger.letters import LetterStyle, letter_after, organization_name, term_words
from ciclo.ledger.repositories import Occasion, Scope, Written
from ciclo.ledger.tables import Letter as Row
from ciclo.ledger.tables import PriceUpdateExecution

WRITTEN_WITHIN = timedelta(days=7)
"""How long after it was applied a readjustment is written about: turning letters on writes of nothing older."""


class MailServerAwayError(Exception):
    """No letter can be handed over now; what was taken last has certainly reached nobody."""


class LetterNotTakenError(Exception):
    """The mail server refused one letter, and has certainly taken it for nobody."""


class Mail(NamedTuple):
    """What is handed to the mail server."""

    recipients: tuple[str, ...]
    subject: str
    html: str


Post = Callable[[Mail], None]
"""Hands a mail over. Raises `MailServerAwayError` or `LetterNotTakenError` where it certainly went to nobody."""


@dataclass(frozen=True, slots=True)
class LetterOptions:
    """Which letters are written, and how."""

    letters: Letters = Letters.OFF
    style: LetterStyle = field(default_factory=LetterStyle)


@dataclass(slots=True)
class LettersOutcome:
    """What became of the letters of a run."""

    sent: int = 0
    failed: int = 0
    in_doubt: int = 0
    no_address: int = 0
    problems: list[Problem] = field(default_factory=list)

    def counts(self) -> dict[str, int]:
        """Return the outcome as counts, small enough to travel between tasks."""
        return {"sent": self.sent, "failed": self.failed, "in_doubt": self.in_doubt, "no_address": self.no_address}


def write_letters(
    ctx: JobContext, scope: Scope, updates: UpdateOptions, options: LetterOptions, post: Post, *, today: date
) -> LettersOutcome:
    """Send the letters whose day has come and those that a person asked for, each once. Commits at every step.

    Args:
        ctx: the run.
        scope: contracts and shard; its window does not matter.
        updates: how price updates are applied: a figure that waits for a person is not announced.
        options: which letters, and how they are written.
        post: hands a mail over.
        today: the day in São Paulo.

    Raises:
        MailServerAwayError: nothing can be handed over now; the letters are tried again by the next run.
        LetterTemplateError: the company's own template cannot be used; nothing was sent.
        AuthenticationError: the token is not accepted.
        TransientApiError: the customers cannot be read now, or one of them, then after all the others.
    """
    outcome = LettersOutcome()
    _give_up_claims_of_the_dead(ctx, updates, outcome)
    asked = [
        Occasion(letter.execution_id, letter.contract_id, LetterKind(letter.kind))
        for letter in ctx.letters.in_state(LetterState.ASKED)
        if scope.holds(letter.contract_id)
    ]
    occasions = list(dict.fromkeys([*_due(ctx, scope, updates.policy, options, today), *asked]))
    known = ctx.letters.newest([occasion.execution_id for occasion in occasions])
    ctx.session.commit()
    if occasions:
        _learn_who_writes(ctx)
    alone = Alone(ctx.api, ctx.session, occasions)
    for occasion in occasions:
        last = known.get((occasion.execution_id, occasion.kind.value))
        if last is None or last.state in NOT_SENT:
            with alone:
                _write(ctx, occasion, last, updates, options, post, today, outcome)
    if alone.failures:
        raise alone.failures[-1]
    return outcome


def _letter_about(
    ctx: JobContext, execution: PriceUpdateExecution, kind: LetterKind, updates: UpdateOptions, *, today: date
) -> Letter | None:
    """Return what a letter about an execution says today, the customer left out; None where nothing is to be written.

    A letter before is written while the execution is to come, one after once it is in the prices.
    """
    if kind is LetterKind.AFTER:
        return letter_after(ctx.session, ctx.organization_id, execution.id, customer="", written_on=today)
    rule, scheduled = updated_rule(ctx, execution.rule_id), ctx.scheduled_updates.get(execution.scheduled_update_id)
    if rule is None or scheduled is None or execution.state not in UNSENT:
        return None
    return _letter_before(ctx, rule, Due(scheduled, execution.execution_date), updates, today)


def _give_up_claims_of_the_dead(ctx: JobContext, updates: UpdateOptions, outcome: LettersOutcome) -> None:
    """Leave in doubt what a run took that never came back: it may have been handed over."""
    now = ctx.clock()
    for letter in ctx.letters.in_state(LetterState.SENDING):
        if letter.changed_at + updates.lease < now:
            ctx.letters.end(letter, LetterState.IN_DOUBT, at=now)
            outcome.in_doubt += 1
            outcome.problems.append(_problem(letter.contract_id, f"letter {letter.id} may have been sent, or not"))
    ctx.session.commit()


def _due(
    ctx: JobContext, scope: Scope, policy: WindowPolicy, options: LetterOptions, today: date
) -> Iterator[Occasion]:
    """Yield what is to be written about by itself."""
    kinds = options.letters.kinds
    if LetterKind.BEFORE in kinds:
        for due in coming_reminders(ctx, scope, today):
            scheduled = due.scheduled
            execution = ctx.executions.ensure(scheduled, due.execution_date, policy=policy.value, at=ctx.clock())
            yield Occasion(execution.id, execution.contract_id, LetterKind.BEFORE)
    if LetterKind.AFTER in kinds:
        for execution in ctx.executions.in_state(*IN_PRICES, scope=scope, since=ctx.clock() - WRITTEN_WITHIN):
            yield Occasion(execution.id, execution.contract_id, LetterKind.AFTER)


def _learn_who_writes(ctx: JobContext) -> None:
    """Ask the vendor for the organization's name, which signs the letters, where the ledger does not know it."""
    organization = ctx.organizations.get()
    ctx.session.commit()
    if organization is not None and organization.name:
        return
    try:
        own = next((each for each in ctx.api.organizations() if each.id == ctx.organization_id), None)
    except NotFoundError:  # an older version of the API
        return
    if own is not None:
        ctx.organizations.see(at=ctx.clock(), name=own.company_name or own.name)
        ctx.session.commit()


def _write(
    ctx: JobContext,
    occasion: Occasion,
    last: Row | None,
    updates: UpdateOptions,
    options: LetterOptions,
    post: Post,
    today: date,
    outcome: LettersOutcome,
) -> None:
    """Write one letter, take it, hand it over, record what became of it. Commits before and after."""
    execution = ctx.executions.get(occasion.execution_id)
    try:
        letter = _letter_about(ctx, execution, occasion.kind, updates, today=today) if execution is not None else None
    except DomainError as error:
        outcome.problems.append(_problem(occasion.contract_id, f"its letter cannot be written: {error}"))
        return
    if letter is None or not letter.changes_something:
        return
    contract = next(iter(ctx.contracts.some([occasion.contract_id])), None)
    ctx.session.commit()  # no transaction stays open while a request is under way
    try:
        customer, recipients = _customer(ctx, Contract.model_validate(contract.payload) if contract else None)
    except (AuthenticationError, TransientApiError):
        raise
    except ApiError as error:
        outcome.problems.append(_problem(occasion.contract_id, f"its customer cannot be read: {error}"))
        return
    if not recipients:
        ctx.letters.without_address(occasion, last, at=ctx.clock())
        ctx.session.commit()
        outcome.no_address += 1
        outcome.problems.append(_problem(occasion.contract_id, "its customer has no address for billing"))
        return
    subject, body = options.style.written(replace(letter, customer=customer))
    taken = ctx.letters.claim(occasion, last, Written(recipients, subject, body), at=ctx.clock())
    ctx.session.commit()  # before it is handed over: from here on nobody else may send this
    failpoint("letter.claimed")
    if taken is not None:
        _hand_over(ctx, taken, Mail(recipients, subject, body), post, outcome)


def _hand_over(ctx: JobContext, letter: Row, mail: Mail, post: Post, outcome: LettersOutcome) -> None:
    state, error = LetterState.SENT, None
    away: MailServerAwayError | None = None
    try:
        post(mail)
        failpoint("letter.posted")
    except (MailServerAwayError, LetterNotTakenError) as refused:
        state, error = LetterState.FAILED, str(refused)
        away = refused if isinstance(refused, MailServerAwayError) else None
    except Exception as unknown:  # noqa: BLE001 - whatever it is, the server may have taken it
        state, error = LetterState.IN_DOUBT, type(unknown).__name__
    ctx.letters.end(letter, state, at=ctx.clock(), error=error)
    ctx.session.commit()
    outcome.sent += state is LetterState.SENT
    outcome.failed += state is LetterState.FAILED
    outcome.in_doubt += state is LetterState.IN_DOUBT
    if error is not None:
        outcome.problems.append(_problem(letter.contract_id, f"letter {letter.id} is {state.value}: {error}"))
    if away is not None:
        raise away


def _customer(ctx: JobContext, contract: Contract | None) -> tuple[str, tuple[str, ...]]:
    """Read a contract's customer from the vendor: its name, and the addresses to which one writes about billing."""
    if contract is None or contract.customer_id is None:
        return "", ()
    if contract.customer_type == "Person":
        person = ctx.api.person(contract.customer_id)
        return person.name or "", addresses(person.email)
    company = ctx.api.company(contract.customer_id)
    return company.company_name or company.name or "", addresses(company.billing_contacts)


def _letter_before(ctx: JobContext, rule: UpdatedRule, due: Due, updates: UpdateOptions, today: date) -> Letter | None:
    """Return what is announced; None where nothing will happen, or a person has to decide which figure it is."""
    book, missing = IndexBook(ctx), tuple[date, ...]()
    try:
        index = domain_update(due.scheduled).index
        coming = expected(rule, due, book, updates)
    except MissingIndexValue:
        known = book.values(index)
        months = window(index, due.execution_date, due.scheduled.month_quantity, updates.policy)
        coming, missing = [], tuple(month for month in months if month not in known)
    except DomainError:
        return None
    asks = any(each.breaks for each in coming) and updates.continuity is Continuity.ASK
    if asks or rule.ending(due.execution_date) is not None or not (coming or missing):
        return None
    terms = in_force(rule.agreed, rule.rule_id, due.execution_date)
    return Letter(
        kind=LetterKind.BEFORE,
        written_on=today,
        organization=organization_name(ctx.session, ctx.organization_id),
        customer="",
        contract_id=rule.contract_id,
        contract=rule.contract.name if rule.contract else "",
        rule_id=rule.rule_id,
        rule=rule.terms.rule.title or "",
        index=index,
        execution_date=due.execution_date,
        prices=_prices(rule, due, coming[-1] if coming else None),
        missing=missing,
        law=LAW,
        clauses=tuple(sorted({term.clause for term in terms if term.clause})),
    )


def _prices(rule: UpdatedRule, due: Due, proposal: Proposal | None) -> tuple[LetterPrice, ...]:
    if proposal is None:
        known = previewed_prices(rule, due, None)
        return tuple(LetterPrice(price.service or "", price.old, None, None, ()) for price in known)
    return tuple(
        LetterPrice(
            service=rule.service_name(line.change.service) or "",
            old=line.change.old_unit_value,
            new=line.change.new_unit_value,
            factor=line.readjustment.factor,
            months=tuple(used.month for used in line.readjustment.months),
            terms=tuple(term_words(step) for step in line.steps),
        )
        for line in proposal.lines
    )


def _problem(contract_id: int, message: str) -> Problem:
    return Problem(contract_id, None, f"contract {contract_id}: {message}")

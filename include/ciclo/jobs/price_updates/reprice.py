"""Invoices that are there already: those of the rule from the execution date on that are still `to_emit`.

A price is changed only where it is the one that was in force. What a person changed by hand stays as it
is and is noted; absolute values are sent, so that sending them again is harmless. An invoice that is its rule ± the
adjustments that are in it was not changed by hand: it is brought to the rule at the new price ± the same.

The vendor carries a rule's change into whatever of the rule is not issued yet, also into what was planned before the
execution date, and perhaps into what a person has set. How those are is kept before the rule is changed, and they are
set back after it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import Any

from ciclo.billimatic import ApiError, AuthenticationError, NotFoundError, RejectedError
from ciclo.billimatic.models import Invoice, InvoiceState, Service
from ciclo.domain.adjustments import Adjustment, Bill
from ciclo.domain.calendar import add_months, first_of_month
from ciclo.domain.corrections import ChangedByHand
from ciclo.domain.errors import DomainError
from ciclo.domain.findings import FindingKind
from ciclo.domain.money import brl, cents
from ciclo.domain.pricing import Price, gross_value, price_in_force
from ciclo.domain.recurrence import DateRange
from ciclo.domain.states import Fact, PeriodState
from ciclo.jobs.adjustments.correct import fields_of, what_lacks
from ciclo.jobs.context import JobContext
from ciclo.jobs.issuing.look import look_at_contract
from ciclo.jobs.price_updates.updated_rule import UpdatedRule
from ciclo.ledger.repositories import Disagreement, UseState
from ciclo.ledger.tables import Payload, Period
from ciclo.ledger.terms import RuleTerms, ServiceLine
from ciclo.locale import N_, Text

NOT_BROUGHT = N_("invoice {invoice_id} could not be brought to the new price: {error}")
SET_BY_HAND = N_("invoice {invoice_id}: {amount} was set by hand and stays")
SERVICE_SET_BY_HAND = N_("invoice {invoice_id}: {amount} of {service} was set by hand and stays")
TAKEN_ALONG = N_(
    "invoice {invoice_id} was at {old} and went along with its rule to {amount} at the vendor; it could not be set back"
)
OTHER_SERVICES = N_("invoice {invoice_id}: its services are not the rule's; it stays as it is")

GENERATED_AHEAD = 36
"""Months ahead in which a rule without an end may have invoices: the vendor generates 24, and may extend them."""


EARLIER = 12
"""Months back in which invoices may be waiting that nobody has billed yet, and that no period has taken over."""


class InvoicesPending(Exception):
    """An invoice could not be brought to the new price now; doing it again later is harmless."""

    def __init__(self, invoice_id: int | None, error: ApiError | str) -> None:
        self.invoice_id = invoice_id
        self.fact = error if isinstance(error, str) else error.fact
        """What happened, as a fact of a reason."""
        super().__init__(str(error))


@dataclass(slots=True)
class Brought:
    """What became of the invoices that were there already."""

    invoices: list[tuple[Period | None, Invoice]] = field(default_factory=list)
    """Those at the new price now, as the vendor answered them, with the period that they are adopted by, if any."""
    entries: list[Payload] = field(default_factory=list)
    """For the evidence: `{"invoice_id", "old", "new"}`."""
    warnings: list[Text] = field(default_factory=list)
    findings: list[Disagreement] = field(default_factory=list)
    """Those that a person had changed and that stay as they are."""
    set_back: list[Payload] = field(default_factory=list)
    """Those that the vendor took along with its rule and that are as before again: `{"invoice_id", "from", "to"}`."""
    late: list[Payload] = field(default_factory=list)
    """Those issued at the old price already: `{"invoice_id", "period_id", "planned_date", "old", "new"}`."""


@dataclass(frozen=True, slots=True)
class _Owned:
    """One of the rule's invoices, with the planned date and terms that it is of."""

    invoice: Invoice
    planned_date: date
    terms: RuleTerms
    period: Period | None
    in_doubt: bool = False
    """Whether a correction of it was sent and may still arrive."""


@dataclass(frozen=True, slots=True)
class _Repricing:
    """The prices of one rule before and after an update."""

    before: Sequence[Price]
    seen: Sequence[Price]
    """As the vendor has them: its own readjustment may have changed its invoices."""
    after: Sequence[Price]

    def gross(self, owned: _Owned) -> tuple[Decimal, Decimal]:
        services, day = owned.terms.priced_services, owned.planned_date
        return gross_value(services, self.before, day), gross_value(services, self.after, day)

    def expected_gross(self, owned: _Owned) -> set[Decimal]:
        services, day = owned.terms.priced_services, owned.planned_date
        return {gross_value(services, prices, day) for prices in (self.before, self.seen, self.after)}

    def differ(self, owned: _Owned) -> bool:
        day = owned.planned_date
        if not owned.terms.services:
            return len(self.expected_gross(owned)) > 1
        return any(len(self.expected(line, day)) > 1 for line in owned.terms.services)

    def expected(self, line: ServiceLine, day: date) -> set[Decimal]:
        return {price_in_force(prices, day, line.id) for prices in (self.before, self.seen, self.after)}


def to_keep(
    ctx: JobContext, rule: UpdatedRule, day: date, seen: Sequence[Price], after: Sequence[Price]
) -> list[Payload]:
    """Return the invoices, as they are now, that a change of their rule at the vendor is not to reach.

    Those planned before the execution date, and those from it on that people or adjustments have changed. Commits, asks
    the vendor.

    Args:
        ctx: the run.
        rule: the rule as it is before the update.
        day: the execution date.
        seen: the rule's prices as the vendor shows them.
        after: the rule's prices with those of the update.

    Raises:
        InvoicesPending, AuthenticationError: as `bring_to_price`.
    """
    prices = _Repricing(rule.terms.history(), seen, after)
    return [
        {
            "invoice_id": owned.invoice.id,
            "gross_value": f"{owned.invoice.gross_value:f}",
            "services": [
                {"id": line.id, "units": f"{line.units:f}", "unit_value": f"{line.unit_value:f}"}
                for line in owned.invoice.services
            ],
        }
        for owned in _invoices_from(ctx, rule, day, Brought(), earlier=True)
        if owned.invoice.state == InvoiceState.TO_EMIT and not owned.in_doubt
        if owned.planned_date < day or _is_changed(rule, owned, prices)
    ]


def _is_changed(rule: UpdatedRule, owned: _Owned, prices: _Repricing) -> bool:
    """Whether an invoice is not simply what its rule makes of it."""
    try:
        return bool(_with_its_adjustments(rule, owned, prices) or _change(owned, prices)[1])
    except DomainError:
        return True


def bring_to_price(
    ctx: JobContext,
    rule: UpdatedRule,
    day: date,
    seen: Sequence[Price],
    after: Sequence[Price],
    kept: Sequence[Payload] = (),
) -> Brought:
    """Bring the rule's invoices from a day on to the prices that are in force after an update. Commits, sends PATCHes.

    Whose an invoice is, is told as when one is adopted: those that the vendor generated are the rule's too.

    Args:
        ctx: the run.
        rule: the rule with its prices before the update.
        day: the execution date.
        seen: the rule's prices as the vendor showed them before it was sent anything.
        after: the rule's prices with those of the update.
        kept: what `to_keep` gave before the rule was changed at the vendor; empty where nothing was sent to it.

    Raises:
        InvoicesPending: the API does not answer, or one of the contract's invoices cannot be read; nothing is lost,
            call it again later.
        AuthenticationError: the token is not accepted.
    """
    brought = Brought()
    prices = _Repricing(rule.terms.history(), seen, after)
    was = {entry["invoice_id"]: entry for entry in kept}
    for each in _invoices_from(ctx, rule, day, brought, earlier=bool(kept)):
        owned = each
        try:
            if owned.invoice.id in was:
                owned = _set_back(ctx, rule, owned, was[owned.invoice.id], brought)
            if owned.planned_date >= day:
                _bring_one(ctx, rule, owned, prices, brought)
        except (RejectedError, NotFoundError, DomainError) as error:
            brought.warnings.append(Text(NOT_BROUGHT, invoice_id=owned.invoice.id, error=str(error)))
        except AuthenticationError:
            raise
        except ApiError as error:
            raise InvoicesPending(owned.invoice.id, error) from error
    return brought


def _set_back(ctx: JobContext, rule: UpdatedRule, owned: _Owned, was: Payload, brought: Brought) -> _Owned:
    """Set an invoice back that the vendor took along with its rule; what became of it otherwise is left alone."""
    invoice, before = owned.invoice, Decimal(was["gross_value"])
    there = {line.id: line for line in invoice.services}
    lines = [
        {"id": line["id"], "units": Decimal(line["units"]), "unit_value": Decimal(line["unit_value"])}
        for line in was["services"]
    ]
    same = there.keys() == {line["id"] for line in lines}
    other = [
        line
        for line in lines
        if not same or (there[line["id"]].units, there[line["id"]].unit_value) != (line["units"], line["unit_value"])
    ]
    if same and not other and invoice.gross_value == before:
        return owned
    taken_along = invoice.gross_value == rule.remote.gross_value or all(
        line["id"] in there and there[line["id"]].unit_value in rule.remote_prices().values() for line in other
    )
    if invoice.state != InvoiceState.TO_EMIT or not taken_along:
        return owned
    if same:
        fields: dict[str, Any] = {"services": other} if lines else {"gross_value": before}
        answer = ctx.api.update_invoice(rule.contract_id, invoice.id, fields)
        brought.set_back.append(
            {"invoice_id": invoice.id, "from": f"{invoice.gross_value:f}", "to": f"{answer.gross_value:f}"}
        )
        invoice = answer
    if cents(invoice.gross_value) != cents(before):
        text = Text(TAKEN_ALONG, invoice_id=invoice.id, old=brl(before), amount=brl(invoice.gross_value))
        brought.warnings.append(text)
        brought.findings.append(_left_as_it_is(rule, replace(owned, invoice=invoice), cents(before)))
    return replace(owned, invoice=invoice)


def _invoices_from(
    ctx: JobContext, rule: UpdatedRule, day: date, brought: Brought, *, earlier: bool = False
) -> list[_Owned]:
    """Return the rule's invoices with a planned date from a day on, adopted or not, as the vendor shows them now.

    With `earlier` those before it, too: all of the year before it, and of older ones those that are a period's and not
    issued by the ledger's account.
    """
    length = rule.terms.newest.recurrence.month_quantity or 1
    last = rule.terms.rule.end_date or add_months(day, GENERATED_AHEAD)
    back = max(length, EARLIER) if earlier else length
    window = DateRange(add_months(first_of_month(day), -back), add_months(first_of_month(max(last, day)), length + 1))
    look = look_at_contract(ctx, rule.contract_id, window)
    if look is None:
        raise InvoicesPending(None, "an invoice of its contract cannot be read")
    first = date.min if earlier else day
    periods = {(p.rule_id, p.issue_date): p for p in ctx.periods.of_rules([rule.rule_id], DateRange(first, date.max))}
    passed = {p.invoice_id for p in periods.values() if p.invoice_id and p.issue_date < day}
    issued = {i for i, row in ctx.reconciliation.invoices(passed).items() if row.state != InvoiceState.TO_EMIT}
    now = ctx.clock()
    sending = [period for period in periods.values() if rule.terms.adjustments_in(period, UseState.SENDING)]
    in_doubt = {period.id for period in sending if ctx.adjustments.doubtful(period.id, now) is not None}
    ctx.session.commit()

    def owned(invoice: Invoice, planned_date: date, terms: RuleTerms, period: Period | None) -> _Owned:
        return _Owned(invoice, planned_date, terms, period, period is not None and period.id in in_doubt)

    found = [
        owned(look.invoices[invoice.id], key.issue_date, rule.terms.terms_on(key.issue_date), periods.get(key))
        for key, invoice in look.assignment.own.items()
        if key.rule_id == rule.rule_id and key.issue_date >= first
    ]
    there = {each.invoice.id for each in found} | issued
    for period in periods.values():  # adopted, and moved out of the window or not yet found by the search
        if period.state == PeriodState.ISSUED and period.invoice_id and period.invoice_id not in there:
            invoice = _still_there(ctx, period, brought)
            if invoice is not None:
                found.append(owned(invoice, period.issue_date, rule.terms.terms_of(period), period))
    for key, contest in look.assignment.contested.items():
        if key.rule_id == rule.rule_id and key.issue_date >= day:
            ids = ", ".join(map(str, contest.invoice_ids))
            text = N_("it cannot be told which invoice of {day} is its own: {invoice_ids} stay")
            brought.warnings.append(Text(text, day=key.issue_date.isoformat(), invoice_ids=ids))
    return sorted(found, key=lambda each: each.planned_date)


def _still_there(ctx: JobContext, period: Period, brought: Brought) -> Invoice | None:
    invoice_id = period.invoice_id or 0
    try:
        return ctx.api.invoice(period.contract_id, invoice_id)
    except NotFoundError as error:
        brought.warnings.append(Text(NOT_BROUGHT, invoice_id=invoice_id, error=str(error)))
    except AuthenticationError:
        raise
    except ApiError as error:
        raise InvoicesPending(invoice_id, error) from error
    return None


def _bring_one(ctx: JobContext, rule: UpdatedRule, owned: _Owned, prices: _Repricing, brought: Brought) -> None:
    invoice = owned.invoice
    if not prices.differ(owned) or invoice.state == InvoiceState.CANCELLED:
        return
    if owned.in_doubt:
        raise InvoicesPending(invoice.id, "what was sent of its adjustments is not settled")
    bills = _with_its_adjustments(rule, owned, prices)
    old, new = (bills[-1][0].total, bills[-1][1].total) if bills else prices.gross(owned)
    if invoice.state != InvoiceState.TO_EMIT:
        if cents(invoice.gross_value) != new:
            brought.warnings.append(_too_late(invoice, new))
        if cents(invoice.gross_value) == old != new:
            brought.late.append(
                {
                    "invoice_id": invoice.id,
                    "period_id": owned.period.id if owned.period is not None else None,
                    "planned_date": owned.planned_date.isoformat(),
                    "old": f"{old:f}",
                    "new": f"{new:f}",
                }
            )
        return
    change, by_hand = _change_with(invoice, bills) if bills else _change(owned, prices)
    if by_hand:
        brought.warnings += by_hand
        brought.findings.append(_left_as_it_is(rule, owned, new))
    if change:
        invoice = ctx.api.update_invoice(rule.contract_id, invoice.id, change)
    if change or cents(invoice.gross_value) == new:
        brought.invoices.append((owned.period, invoice))
        brought.entries.append({"invoice_id": invoice.id, "old": f"{old:f}", "new": f"{cents(invoice.gross_value):f}"})


def _with_its_adjustments(rule: UpdatedRule, owned: _Owned, prices: _Repricing) -> list[tuple[Bill, Bill]]:
    """Return what an invoice that has adjustments was made as and what it should be; several where one may be in it."""
    if owned.period is None:
        return []
    used = rule.terms.adjustments_in(owned.period)
    sent = rule.terms.adjustments_in(owned.period, UseState.USED, UseState.SENDING)

    def at(history: Sequence[Price], adjustments: Sequence[Adjustment]) -> Bill:
        return rule.terms.bill(owned.planned_date, adjustments, terms=owned.terms, prices=history)

    some = [used] if used == sent else [used, sent]
    return [(at(prices.before, each), at(prices.after, each)) for each in some] if sent else []


def _change_with(invoice: Invoice, bills: Sequence[tuple[Bill, Bill]]) -> tuple[dict[str, Any], list[Text]]:
    """Return the fields to send to an invoice that has adjustments, and what a person changed by hand."""
    for before, after in bills:
        try:
            return fields_of(invoice, what_lacks(invoice, [before], after)), []
        except ChangedByHand:
            continue
    return {}, [Text(SET_BY_HAND, invoice_id=invoice.id, amount=brl(invoice.gross_value))]


def _left_as_it_is(rule: UpdatedRule, owned: _Owned, new: Decimal) -> Disagreement:
    found = cents(owned.invoice.gross_value)
    off = abs(found - new)
    said: dict[str, Fact] = {"expected": str(new), "found": str(found), "amount": str(off)}
    return Disagreement.of_period(
        FindingKind.VALUE_EDITED,
        ("invoice", owned.invoice.id),
        (rule.contract_id, rule.rule_id, owned.planned_date),
        facts={"invoice_id": owned.invoice.id, **said},
        expected=str(new),
        found=str(found),
        amount=off,
    )


def _too_late(invoice: Invoice, new: Decimal) -> Text:
    return Text(
        N_(
            "invoice {invoice_id} of {day} is {state} at {amount} already; "
            "the new price would have made it {new_amount}"
        ),
        invoice_id=invoice.id,
        day=invoice.issue_date.isoformat(),
        state=Text(str(invoice.state).replace("_", " ")),
        amount=brl(invoice.gross_value),
        new_amount=brl(new),
    )


def _change(owned: _Owned, prices: _Repricing) -> tuple[dict[str, Any], list[Text]]:
    """Return the fields to send, empty if there are none, and what a person changed by hand."""
    invoice, lines = owned.invoice, owned.terms.services
    if not invoice.services:
        _, new = prices.gross(owned)
        if cents(invoice.gross_value) not in prices.expected_gross(owned):
            return {}, [Text(SET_BY_HAND, invoice_id=invoice.id, amount=brl(invoice.gross_value))]
        return ({} if cents(invoice.gross_value) == new else {"gross_value": new}), []
    pairs = _pairs(invoice.services, lines)
    if pairs is None:
        return {}, [Text(OTHER_SERVICES, invoice_id=invoice.id)]
    changed, by_hand = [], []
    for service, line in pairs:
        new = price_in_force(prices.after, owned.planned_date, line.id)
        if service.unit_value not in prices.expected(line, owned.planned_date):
            price = brl(service.unit_value)
            by_hand.append(Text(SERVICE_SET_BY_HAND, invoice_id=invoice.id, amount=price, service=line.name))
        elif service.unit_value != new:
            changed.append({"id": service.id, "unit_value": new})
    return ({"services": changed} if changed else {}), by_hand


def _pairs(services: Sequence[Service], lines: Sequence[ServiceLine]) -> list[tuple[Service, ServiceLine]] | None:
    """Match an invoice's services with the rule's: they were written in the rule's order, under the rule's names."""
    if len(services) != len(lines):
        return None
    pairs = list(zip(services, lines, strict=True))
    if all((service.name is None or line.name is None or service.name == line.name) for service, line in pairs):
        return pairs
    by_name = {line.name: line for line in lines}
    if len(by_name) != len(lines) or {service.name for service in services} != set(by_name):
        return None
    return [(service, by_name[service.name]) for service in services]

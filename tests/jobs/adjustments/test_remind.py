"""Quantities that a rule waits for are asked for some days ahead, once a period."""

from datetime import date
from decimal import Decimal

import pytest

from ciclo.domain.adjustments import AdjustmentKind
from ciclo.domain.recurrence import DateRange
from ciclo.jobs.adjustments import asked_for_quantities
from ciclo.jobs.periods.expand import expand_rules
from ciclo.jobs.rules.read import read_contract_list
from ciclo.ledger.actions import NewAdjustment, add_adjustments, set_rule
from ciclo.ledger.repositories import Scope
from company import ORGANIZATION, company, rule, service

QUARTER = Scope(DateRange.days(date(2025, 1, 1), date(2025, 3, 31)))
_K = AdjustmentKind


@pytest.fixture
def ctx(sandbox, lite_job):
    rules = [rule(1, services=[service(1, "0.5", units="1000.0")]), rule(2)]
    ctx = lite_job(sandbox(company(*rules)))
    read_contract_list(ctx)
    expand_rules(ctx, QUARTER, seen_on=date(2025, 1, 1))
    set_rule(ctx.session, ORGANIZATION, 1, person="ana", at=ctx.clock(), waits_for_quantities=True, notice_days=5)
    ctx.session.commit()
    return ctx


def asked(ctx, day):
    with asked_for_quantities(ctx, QUARTER, today=day) as missing:
        return [(each.rule_id, each.planned_date) for each in missing]


def add(ctx, kind, **given):
    new = NewAdjustment(kind=kind, rule_id=1, period=date(2025, 2, 10), **given)
    add_adjustments(ctx.session, ORGANIZATION, [new], origin="test", person="ana", at=ctx.clock())
    ctx.session.commit()


def test_missing_quantities_are_asked_for_from_the_notice_days_on_and_once(ctx):
    assert asked(ctx, date(2025, 2, 4)) == []
    assert asked(ctx, date(2025, 2, 6)) == [(1, date(2025, 2, 10))]
    assert asked(ctx, date(2025, 2, 7)) == []
    assert asked(ctx, date(2025, 3, 10)) == [(1, date(2025, 3, 10))]


def test_what_came_or_is_not_billed_is_not_asked_for(ctx):
    add(ctx, _K.QUANTITY, service="1", quantity=Decimal(7))
    assert asked(ctx, date(2025, 2, 8)) == []
    pause = NewAdjustment(kind=_K.SKIP, contract_id=10, from_date=date(2025, 3, 1))
    add_adjustments(ctx.session, ORGANIZATION, [pause], origin="test", person="ana", at=ctx.clock())
    ctx.session.commit()
    assert asked(ctx, date(2025, 3, 8)) == []


def test_a_message_that_did_not_go_out_is_sent_again(ctx):
    def send(missing):
        assert "no quantity has come for Serviço 1" in missing[0].line()
        raise ConnectionError

    with pytest.raises(ConnectionError), asked_for_quantities(ctx, QUARTER, today=date(2025, 2, 6)) as missing:
        send(missing)
    assert asked(ctx, date(2025, 2, 6)) == [(1, date(2025, 2, 10))]

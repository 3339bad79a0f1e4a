"""The passport of a readjustment: it verifies offline, whatever the terms; a changed digit is refused."""

import json
import random
from datetime import date
from decimal import Decimal

import pytest

from ciclo.cli.main import main
from ciclo.domain.contract_terms import ContractTerm, TermKind
from ciclo.domain.passport import check, sealed
from ciclo.domain.price_index import PriceIndex
from ciclo.ledger.actions import agree_term, apply_update
from ciclo.ledger.queries.price_updates import passport
from ciclo.sgs.series import shipped_series
from company import company, rule, scheduled_update, service

EXECUTION = date(2025, 6, 10)
MUTATIONS = 1000


def applied(run, **given):
    yearly = {"init_date": "2023-06-20", "timing": {"month_quantity": 12}, "scheduled_updates": [scheduled_update()]}
    run = run(company(rule(**yearly, **given)), today=date(2025, 6, 1))
    run.expand()
    return run


def passport_of(run):
    run.today = EXECUTION
    run.expand(date(2023, 1, 1), EXECUTION)
    run.apply(EXECUTION, today=EXECUTION)
    execution = run.execution()
    assert execution.state == "applied", execution.reason
    return passport(run.ctx.session, run.ctx.organization_id, execution.id)


TERMS = [
    [],
    [(TermKind.CAP, {"percent": Decimal(5)})],
    [(TermKind.FLOOR, {"percent": Decimal(8)}), (TermKind.SHARE, {"percent": Decimal(80)})],
    [(TermKind.FIXED, {"percent": Decimal(6)})],
    [(TermKind.LOWER_OF, {"index": PriceIndex.IPCA}), (TermKind.CAP, {"percent": Decimal(4)})],
    [(TermKind.SUBSTITUTE, {"index": PriceIndex.IPCA, "day": date(2025, 1, 1)})],
    [(TermKind.NOT_BEFORE, {"day": date(2026, 1, 1)})],
]


@pytest.mark.parametrize("terms", TERMS, ids=lambda terms: " and ".join(kind for kind, _ in terms) or "no terms")
def test_a_passport_verifies_whatever_the_terms(billing, terms):
    run = applied(billing, created_at=None, gross_value="1000.0")
    for kind, given in terms:
        term = ContractTerm(kind=kind, effective_from=date(2025, 1, 1), author="ana", clause="7.2", **given)
        agree_term(run.ctx.session, run.ctx.organization_id, 10, term, note="signed", at=run.ctx.clock())
    run.ctx.session.commit()
    document = json.loads(json.dumps(passport_of(run)))
    assert check(document, shipped_series()).problems == ()
    assert document["clauses"] == (["7.2"] if terms else [])


def test_two_services_by_two_indices_over_the_same_months_verify(billing):
    """By continuity: one service goes on by IGP-M, which its own update had used, the other by the new IGP-DI."""
    lines = [service(31, "100.0", item=1), service(32, "200.0", item=2)]
    catalogue = [{"id": item, "name": f"Serviço {item}"} for item in (1, 2)]
    former = scheduled_update(500, init_date="2024-06-10", service_item_id=1)
    yearly = {"init_date": "2022-06-20", "timing": {"month_quantity": 12}, "services": lines}
    run = billing(company(rule(**yearly, scheduled_updates=[former]), service_items=catalogue), today=date(2024, 6, 10))
    run.expand(date(2023, 1, 1), run.today)
    run.apply(run.today, today=run.today)
    state = run.sandbox.state()
    state["invoice_rules"][0]["scheduled_updates"] = [scheduled_update(501, price_index="igpdi")]
    run.sandbox.put_state(state)
    run.today = EXECUTION
    run.expand(date(2023, 1, 1), EXECUTION)
    run.apply(EXECUTION, today=EXECUTION)
    decided = {"person": "ana", "note": "as agreed", "at": run.ctx.clock(), "basis": "continuity"}
    apply_update(run.ctx.session, run.ctx.organization_id, run.executions()[-1].id, **decided)
    run.ctx.session.commit()
    run.apply(EXECUTION, today=EXECUTION)

    execution = run.executions()[-1]
    document = passport(run.ctx.session, run.ctx.organization_id, execution.id)

    assert [price["new"] for price in document["prices"]] == ["107.03", "212.55"]
    assert check(document, shipped_series()).problems == ()


def test_each_changed_digit_is_refused(billing):
    run = applied(billing, created_at=None, services=[service(1, "500.0"), service(2, "250.0")])
    text = json.dumps(passport_of(run), indent=2, ensure_ascii=False)
    assert check(json.loads(text), shipped_series()).problems == ()
    rng = random.Random(18)  # noqa: S311 - no secret: which digits are changed
    places = [place for place, each in enumerate(text) if each.isdigit()]
    for _ in range(MUTATIONS):
        place = rng.choice(places)
        other = rng.choice([digit for digit in "0123456789" if digit != text[place]])
        assert check(json.loads(text[:place] + other + text[place + 1 :]), shipped_series()).problems, place


@pytest.mark.parametrize(
    "forged",
    [
        lambda p: p["months"][3].update(value="9.99"),
        lambda p: p["prices"][0].update(new="2000.00"),
        lambda p: p["prices"][0].update(factor="1.5"),
        lambda p: p["months"].pop(4),
        lambda p: p["prices"][0].pop("old"),
        lambda p: p.pop("execution_date"),
        lambda p: p["prices"].clear(),
        lambda p: p["prices"][0].update(new="NaN", ours=p["prices"][0]["new"]),
        lambda p: p.update(months=["2025-01"]),
        lambda p: p.update(rule="\ud800", index="selic"),
    ],
    ids=[
        "a value", "a price", "a factor", "a month", "something missing", "no day", "no price", "no number",
        "months without values", "no text",
    ],
)  # fmt: skip
def test_what_was_forged_and_sealed_anew_is_refused_too(billing, forged):
    document = passport_of(applied(billing, created_at=None, gross_value="1000.0"))
    del document["hash"]
    forged(document)
    assert check(sealed(document), shipped_series()).problems


def test_the_command_verifies_a_file_and_refuses_another(billing, tmp_path, capsys):
    document = passport_of(applied(billing, created_at=None, gross_value="1000.0"))
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    good.write_text(json.dumps(document), encoding="utf-8")
    bad.write_text(json.dumps(document | {"rule": "another"}), encoding="utf-8")
    with pytest.raises(SystemExit) as verified:
        main(["verify", str(good)])
    assert verified.value.code == 0
    assert "R$ 1.070,26" in capsys.readouterr().out
    with pytest.raises(SystemExit) as refused:
        main(["verify", str(bad)])
    assert refused.value.code == 1
    assert "refused" in capsys.readouterr().err

"""What a person does to the ledger: by HTTP, twice, too late, at the same time; each in the audit trail."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from decimal import Decimal
from threading import Barrier

import pytest
from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from ciclo.domain.errors import IllegalTransition
from ciclo.domain.states import Reason, ReasonKind
from ciclo.domain.wording import said
from ciclo.ledger import actions
from ciclo.ledger.actions import Matter, NoSuchRow, NotPossible, UnusableNote, act_on
from ciclo.ledger.database import open_engine
from ciclo.ledger.repositories import InvoiceRepository
from ciclo.ledger.tables import (
    AuditEntry,
    Finding,
    Invoice,
    Period,
    PriceUpdateExecution,
    ScheduledUpdate,
    reason_columns,
)
from console.factories import NOW, ORGANIZATION
from console.small_year import IN_DOUBT, PARKED, WAITING
from console.test_access import state_of
from factories import period_row

ISSUED = 1


def test_a_released_period_is_planned_again_and_the_trail_says_by_whom_and_why(click, own_year):
    answer = click(f"/periods/{PARKED}/release", note="description was added")

    assert answer.status_code == 200
    assert "Released" in answer.text
    assert state_of(own_year, PARKED) == "planned"
    entry = newest_entry(own_year, "period", PARKED)
    assert (entry.from_state, entry.to_state, entry.person) == ("parked", "planned", "operator")
    assert "description was added" in said(entry.reason)


def test_releasing_twice_says_who_was_first_and_changes_nothing(click, own_year):
    click(f"/periods/{PARKED}/release")

    answer = click(f"/periods/{PARKED}/release")

    assert answer.status_code == 200
    assert "already released by operator" in answer.text
    assert state_of(own_year, PARKED) == "planned"


def test_a_cancelled_period_stays_cancelled(click, own_year):
    assert "will not be invoiced" in click(f"/periods/{PARKED}/cancel").text
    assert state_of(own_year, PARKED) == "cancelled"


def test_settling_now_ends_the_grace_period(click, own_year):
    answer = click(f"/periods/{IN_DOUBT}/settle_now")

    assert "the next run settles it" in answer.text
    engine = open_engine(own_year)
    with Session(engine) as session:
        assert session.get(Period, IN_DOUBT).doubt_until == NOW
        assert session.get(Period, IN_DOUBT).state == "in_doubt"
    engine.dispose()


@pytest.mark.parametrize(
    ("action", "period_id"),
    [
        ("release", ISSUED),
        ("cancel", ISSUED),
        ("release", IN_DOUBT),
        ("cancel", IN_DOUBT),
        ("settle_now", ISSUED),
        ("settle_now", WAITING),
    ],
)
def test_what_cannot_be_done_is_a_409_with_a_sentence(click, action, period_id):
    answer = click(f"/periods/{period_id}/{action}")

    assert answer.status_code == 409
    assert "it cannot be" in answer.text


@pytest.mark.parametrize("note", ["", "   ", "x" * 1001])
def test_an_action_needs_a_note_that_can_be_kept(click, own_year, note):
    answer = click(f"/periods/{PARKED}/release", note=note)

    assert answer.status_code == 422
    assert "The note" in answer.text
    assert state_of(own_year, PARKED) == "parked"


def test_a_finding_is_acknowledged_once(click, own_year):
    first = click("/findings/1/acknowledge", note="asked the vendor")
    second = click("/findings/1/acknowledge", note="again")

    assert "Acknowledged" in first.text
    assert "Already acknowledged by operator: asked the vendor" in second.text
    engine = open_engine(own_year)
    with Session(engine) as session:
        assert session.get(Finding, 1).acknowledged_by == "operator"
        assert session.get(Finding, 1).closed_at is None
    engine.dispose()


def test_an_acknowledgement_is_taken_back_and_the_trail_says_by_whom(click, own_year):
    click("/findings/1/acknowledge", note="asked the vendor")
    assert "Take the acknowledgement back" in click("/findings/1/acknowledge").text

    first = click("/findings/1/open_again", note="it was another one")
    second = click("/findings/1/open_again")

    assert "It waits for a person again." in first.text
    assert "It is not acknowledged." in second.text
    entry = newest_entry(own_year, "finding", 1)
    assert (entry.from_state, entry.to_state, entry.person) == ("acknowledged", "open", "operator")
    assert said(entry.reason) == "acknowledgement taken back by operator: it was another one"


def test_an_action_on_what_is_not_there_is_a_404(click):
    assert click("/periods/424242/release").status_code == 404
    assert click("/findings/424242/acknowledge").status_code == 404


# -- a page that shows what was ----------------------------------------------------------------------------------------


def park_for(url, invoice_ids):
    """Park the small year's parked period for other invoices, as a run does that finds them."""
    engine = open_engine(url)
    reason = Reason(ReasonKind.MAY_BE_ITS_OWN, {"invoice_ids": invoice_ids, "amount": "150.00"})
    with engine.begin() as connection:
        connection.execute(update(Period).where(Period.id == PARKED).values(**reason_columns(reason)))
    engine.dispose()


def form_of(page):
    return {name: re.search(rf'name="{name}" value="(\w+)"', page.text).group(1) for name in ("csrf", "seen")}


@pytest.mark.parametrize("action", ["not_its_own", "its_own", "release", "cancel"])
def test_nothing_is_decided_about_what_the_page_did_not_show(acting, own_year, action):
    park_for(own_year, [900])
    shown = form_of(acting.get(f"/periods/{PARKED}"))
    park_for(own_year, [901])

    stale = acting.post(f"/periods/{PARKED}/{action}", data=shown | {"note": "900 is a neighbour's"})

    assert (stale.status_code, state_of(own_year, PARKED)) == (200, "parked")
    assert "Nothing was done: this has changed since you were shown it." in stale.text
    assert "invoice 901" in stale.text
    assert newest_entry(own_year, "period", PARKED).person is None
    assert acting.post(f"/periods/{PARKED}/{action}", data=form_of(stale) | {"note": "901, then"}).status_code == 200
    assert state_of(own_year, PARKED) == ("cancelled" if action == "cancel" else "planned")


def test_what_was_decided_otherwise_meanwhile_is_said_and_stays(click, own_year):
    park_for(own_year, [900])
    assert "Remembered" in click(f"/periods/{PARKED}/not_its_own", note="a neighbour's").text

    second = click(f"/periods/{PARKED}/its_own", note="it is its own")

    assert second.status_code == 409
    assert "another decision came first (operator says that invoice 900 is not its own" in second.text
    assert "already" in click(f"/periods/{PARKED}/not_its_own").text


def test_a_finding_that_says_something_else_by_now_is_not_acknowledged(acting, own_year):
    shown = form_of(acting.get("/findings/1"))
    engine = open_engine(own_year)
    with engine.begin() as connection:
        connection.execute(update(Finding).where(Finding.id == 1).values(found="9999.00", amount=Decimal("9000.00")))

    stale = acting.post("/findings/1/acknowledge", data=shown | {"note": "ten reais, never mind"})

    assert "Nothing was done" in stale.text
    with Session(engine) as session:
        assert session.get(Finding, 1).acknowledged_at is None
    engine.dispose()


def test_a_finding_that_is_closed_meanwhile_is_not_acknowledged(click, own_year):
    engine = open_engine(own_year)
    with engine.begin() as connection:
        connection.execute(update(Finding).where(Finding.id == 1).values(closed_at=NOW))
    assert "It is closed" in click("/findings/1/acknowledge").text
    with Session(engine) as session:
        assert session.get(Finding, 1).acknowledged_at is None
    engine.dispose()


# -- the same, below HTTP, on both databases ---------------------------------------------------------------------------


@pytest.fixture
def parked(ledger_engine):
    """Id of a parked period."""
    with ledger_engine.begin() as connection:
        return connection.scalar(insert(Period).values(**period_row(state="parked")).returning(Period.id))


def act(engine, action, row_id, **given):
    with Session(engine) as session, session.begin():
        options = {"person": "ana", "note": "known", "at": NOW} | given
        return action(session, period_row()["organization_id"], row_id, **options)


def test_of_two_people_who_release_at_once_one_is_told_that_the_other_was_first(ledger_engine, parked):
    together = Barrier(2)

    def release(person):
        together.wait()
        return act(ledger_engine, actions.release_period, parked, person=person)

    with ThreadPoolExecutor(2) as people:
        outcomes = list(people.map(release, ["ana", "bia"]))

    assert sorted(outcome.changed for outcome in outcomes) == [False, True]
    with Session(ledger_engine) as session:
        released = session.scalars(select(AuditEntry).where(AuditEntry.to_state == "planned")).all()
        assert len(released) == 1


def test_a_period_that_was_never_parked_cannot_be_released(ledger_engine):
    with ledger_engine.begin() as connection:
        planned = connection.scalar(insert(Period).values(**period_row()).returning(Period.id))

    with pytest.raises(NotPossible, match="is planned: it cannot be released"):
        act(ledger_engine, actions.release_period, planned)


def test_another_organizations_period_is_not_there(ledger_engine, parked):
    with pytest.raises(NoSuchRow), Session(ledger_engine) as session:
        actions.release_period(session, 999, parked, person="ana", note="x", at=NOW)


def test_a_note_with_control_characters_is_refused(ledger_engine, parked):
    with pytest.raises(UnusableNote):
        act(ledger_engine, actions.release_period, parked, note="a\x1b[31mb")


def test_a_grace_period_that_is_over_is_not_ended_again(ledger_engine):
    row = period_row(state="in_doubt", doubt_until=NOW - timedelta(minutes=1))
    with ledger_engine.begin() as connection:
        doubt = connection.scalar(insert(Period).values(**row).returning(Period.id))

    outcome = act(ledger_engine, actions.settle_now, doubt)

    assert not outcome.changed
    assert "over already" in outcome.message


def newest_entry(url: str, subject: str, subject_id: int) -> AuditEntry:
    engine = open_engine(url)
    with Session(engine, expire_on_commit=False) as session:
        query = select(AuditEntry).where(AuditEntry.subject == subject, AuditEntry.subject_id == subject_id)
        entry = session.scalars(query.order_by(AuditEntry.id.desc())).first()
    engine.dispose()
    assert entry is not None
    assert entry.organization_id == ORGANIZATION
    return entry


# -- planning again, billing again, what is not its own ----------------------------------------------------------------


def a_period(engine, **given):
    with engine.begin() as connection:
        row = period_row(**given) | reason_columns(given.pop("reason", None))
        row.pop("reason", None)
        return connection.scalar(insert(Period).values(**row).returning(Period.id))


def an_invoice(engine, invoice_id, period_id, **given):
    row = {
        "organization_id": period_row()["organization_id"], "invoice_id": invoice_id, "contract_id": 10,
        "period_id": period_id, "issue_date": date(2025, 3, 10), "planned_date": date(2025, 3, 10),
        "gross_value": Decimal("150.00"), "state": "to_emit", "adopted": False, "first_seen_at": NOW, "seen_at": NOW,
    }  # fmt: skip
    with engine.begin() as connection:
        connection.execute(insert(Invoice).values(**row | given))


def read(engine, table, key):
    with Session(engine) as session:
        return session.get(table, key)


def test_what_was_cancelled_is_planned_again_once(ledger_engine, parked):
    act(ledger_engine, actions.cancel_period, parked)
    assert read(ledger_engine, Period, parked).cancelled_by == "ana"

    first, second = (act(ledger_engine, actions.plan_again, parked, person=who) for who in ("bia", "caio"))

    assert (first.changed, second.changed) == (True, False)
    assert "already planned again by bia" in second.message
    period = read(ledger_engine, Period, parked)
    assert (period.state, period.cancelled_by) == ("planned", None)
    assert said(period.reason) == "planned again by bia: known"


def test_a_cancelled_invoice_is_billed_again_with_a_reference_of_its_own(ledger_engine):
    period_id = a_period(ledger_engine, state="issued", invoice_id=900)
    an_invoice(ledger_engine, 900, period_id, state="cancelled")

    first, second = (act(ledger_engine, actions.bill_again, period_id) for _ in range(2))

    assert (first.changed, second.changed) == (True, False)
    period = read(ledger_engine, Period, period_id)
    assert (period.state, period.invoice_id, period.reference_sequence) == ("planned", None, 2)
    assert read(ledger_engine, Invoice, (period.organization_id, 900)).period_id is None


def test_an_invoice_that_is_alive_is_not_billed_again(ledger_engine):
    period_id = a_period(ledger_engine, state="issued", invoice_id=900)
    an_invoice(ledger_engine, 900, period_id)

    with pytest.raises(NotPossible, match="cancel it there"):
        act(ledger_engine, actions.bill_again, period_id)
    assert read(ledger_engine, Period, period_id).state == "issued"


def test_an_invoice_that_is_not_its_own_is_remembered_for_its_rule(ledger_engine):
    maybe = Reason(ReasonKind.MAY_BE_ITS_OWN, {"invoice_ids": [900, 901], "amount": "150.00"})
    period_id = a_period(ledger_engine, state="parked", reason=maybe)

    first, second = (act(ledger_engine, actions.not_its_own, period_id) for _ in range(2))

    assert (first.changed, second.changed) == (True, False)
    assert read(ledger_engine, Period, period_id).state == "planned"
    with Session(ledger_engine) as session:
        refused = InvoiceRepository(session, period_row()["organization_id"]).not_own([1, 2])
    assert refused == {1: frozenset({900, 901})}


def test_that_an_invoice_is_not_its_own_can_be_taken_back_and_said_again(ledger_engine):
    maybe = Reason(ReasonKind.MAY_BE_ITS_OWN, {"invoice_ids": [900], "amount": "150.00"})
    period_id = a_period(ledger_engine, state="parked", reason=maybe)
    act(ledger_engine, actions.not_its_own, period_id)

    first, second = (act(ledger_engine, actions.look_again, period_id) for _ in range(2))

    assert (first.changed, second.changed) == (True, False)
    period = read(ledger_engine, Period, period_id)
    assert (period.state, period.reason.kind) == ("planned", ReasonKind.LOOKED_AT_AGAIN)
    assert refused(ledger_engine) == {}
    with ledger_engine.begin() as connection:
        connection.execute(update(Period).values(state="parked", **reason_columns(maybe)))
    act(ledger_engine, actions.not_its_own, period_id)
    assert refused(ledger_engine) == {1: frozenset({900})}


def refused(engine):
    with Session(engine) as session:
        return InvoiceRepository(session, period_row()["organization_id"]).not_own([1, 2])


def test_one_of_several_is_said_to_be_its_own_and_which_has_to_be_said(ledger_engine):
    maybe = Reason(ReasonKind.MAY_BE_ITS_OWN, {"invoice_ids": [900, 901], "amount": "150.00"})
    period_id = a_period(ledger_engine, state="parked", reason=maybe)

    for unsaid in (None, "", "902"):
        with pytest.raises(NotPossible, match="900, 901"):
            act(ledger_engine, actions.its_own, period_id, invoice_id=unsaid)
    first, second = (act(ledger_engine, actions.its_own, period_id, invoice_id="901") for _ in range(2))

    assert (first.changed, second.changed) == (True, False)
    period = read(ledger_engine, Period, period_id)
    assert (period.state, period.reason.kind, period.reason.facts["invoice_ids"]) == ("planned", "its_own", [901])


def test_a_period_that_was_parked_for_no_invoice_has_none_that_could_be_its_own(ledger_engine):
    period_id = a_period(ledger_engine, state="parked", reason=Reason(ReasonKind.REMOVED_AT_VENDOR))
    for action in (actions.its_own, actions.not_its_own):
        with pytest.raises(NotPossible):
            act(ledger_engine, action, period_id)


def test_a_release_beside_an_invoice_that_may_be_its_own_says_that_it_asks_again(ledger_engine):
    maybe = Reason(ReasonKind.MAY_BE_ITS_OWN, {"invoice_ids": [900], "amount": "150.00"})
    period_id = a_period(ledger_engine, state="parked", reason=maybe)
    assert "asks again" in act(ledger_engine, actions.release_period, period_id).message


def test_a_release_tells_what_it_was_parked_for(ledger_engine):
    removed = Reason(ReasonKind.REMOVED_AT_VENDOR)
    period_id = a_period(ledger_engine, state="parked", reason=removed)

    act(ledger_engine, actions.release_period, period_id)

    assert read(ledger_engine, Period, period_id).reason.facts["parked_for"] == "removed_at_vendor"


# -- price updates -----------------------------------------------------------------------------------------------------


def an_execution(engine, state):
    row = {
        "organization_id": period_row()["organization_id"], "scheduled_update_id": 5, "contract_id": 10, "rule_id": 1,
        "execution_date": date(2025, 6, 10), "state": state, "price_index": "ipca", "policy": "published",
        "created_at": NOW, "changed_at": NOW,
    }  # fmt: skip
    with engine.begin() as connection:
        return connection.scalar(insert(PriceUpdateExecution).values(**row).returning(PriceUpdateExecution.id))


def test_a_proposal_is_approved_once(ledger_engine):
    execution_id = an_execution(ledger_engine, "proposed")

    first, second = (act(ledger_engine, actions.apply_update, execution_id, person=who) for who in ("ana", "bia"))

    assert (first.changed, second.changed) == (True, False)
    execution = read(ledger_engine, PriceUpdateExecution, execution_id)
    assert (execution.state, execution.approved_by) == ("proposed", "ana")


def test_a_parked_update_is_computed_again(ledger_engine):
    execution_id = an_execution(ledger_engine, "parked")
    assert act(ledger_engine, actions.apply_update, execution_id).changed
    assert read(ledger_engine, PriceUpdateExecution, execution_id).state == "planned"


def test_an_update_is_skipped_once_but_not_after_it_is_in_the_prices(ledger_engine):
    execution_id = an_execution(ledger_engine, "proposed")
    assert [act(ledger_engine, actions.skip_update, execution_id).changed for _ in range(2)] == [True, False]
    assert read(ledger_engine, PriceUpdateExecution, execution_id).state == "cancelled"
    with ledger_engine.begin() as connection:
        connection.execute(update(PriceUpdateExecution).values(state="applied"))
    with pytest.raises(IllegalTransition):
        act(ledger_engine, actions.skip_update, execution_id)


def test_a_skip_is_taken_back_until_a_run_has_moved_on(ledger_engine):
    execution_id = an_execution(ledger_engine, "proposed")
    day = date(2025, 6, 10)
    schedule = {
        "organization_id": period_row()["organization_id"], "scheduled_update_id": 5, "contract_id": 10, "rule_id": 1,
        "price_index": "ipca", "init_date": day, "month_quantity": 12, "next_execution_date": day,
        "remote_execution_date": day, "payload": {}, "first_seen_at": NOW, "seen_at": NOW,
    }  # fmt: skip
    with ledger_engine.begin() as connection:
        connection.execute(insert(ScheduledUpdate).values(**schedule))
    act(ledger_engine, actions.skip_update, execution_id)

    assert [act(ledger_engine, actions.undo_skip, execution_id).changed for _ in range(2)] == [True, False]

    execution = read(ledger_engine, PriceUpdateExecution, execution_id)
    assert (execution.state, "skipped" in execution.evidence) == ("planned", False)
    act(ledger_engine, actions.skip_update, execution_id)
    with ledger_engine.begin() as connection:
        connection.execute(update(ScheduledUpdate).values(next_execution_date=date(2026, 6, 10)))
    with pytest.raises(NotPossible, match="too late"):
        act(ledger_engine, actions.undo_skip, execution_id)


# -- by what it is about -----------------------------------------------------------------------------------------------


def test_an_action_finds_its_row_by_rule_and_date_or_by_invoice(ledger_engine):
    maybe = Reason(ReasonKind.MAY_BE_ITS_OWN, {"invoice_ids": [900]})
    period_id = a_period(ledger_engine, state="parked", reason=maybe)
    organization_id = period_row()["organization_id"]
    finding = {"organization_id": organization_id, "kind": "gap", "subject": "rule", "subject_id": 1, "facts": {},
               "billing_month": date(2025, 3, 1), "opened_at": NOW, "seen_at": NOW}  # fmt: skip
    with ledger_engine.begin() as connection:
        connection.execute(insert(Finding).values(**finding))

    with Session(ledger_engine) as session, session.begin():
        by = {"person": "ana", "note": "known", "at": NOW}
        march = Matter(rule_id=1, issue_date=date(2025, 3, 10))
        assert [each.changed for each in act_on(session, organization_id, "acknowledge", march, **by)] == [True]
        invoice = Matter(invoice_id=900)
        assert [each.changed for each in act_on(session, organization_id, "not_its_own", invoice, **by)] == [True]
        assert session.get(Period, period_id).state == "planned"
        with pytest.raises(NoSuchRow, match="rule 2"):
            act_on(session, organization_id, "release", Matter(rule_id=2, issue_date=date(2025, 3, 10)), **by)

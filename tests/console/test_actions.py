"""What a person does to the ledger: by HTTP, twice, too late, at the same time; each in the audit trail."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from ciclo.domain.errors import IllegalTransition
from ciclo.domain.wording import said
from ciclo.ledger import actions
from ciclo.ledger.actions import NoSuchRow, UnusableNote
from ciclo.ledger.database import open_engine
from ciclo.ledger.tables import AuditEntry, Finding, Period
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
    answer = click(f"/periods/{IN_DOUBT}/settle")

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
        ("settle", ISSUED),
        ("settle", WAITING),
    ],
)
def test_what_cannot_be_done_is_a_409_with_a_sentence(click, action, period_id):
    answer = click(f"/periods/{period_id}/{action}")

    assert answer.status_code == 409
    assert "cannot go from" in answer.text


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


def test_an_action_on_what_is_not_there_is_a_404(click):
    assert click("/periods/424242/release").status_code == 404
    assert click("/findings/424242/acknowledge").status_code == 404


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

    with pytest.raises(IllegalTransition):
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

"""Letters to customers: on their day, to the addresses for billing, once; what they say; what nobody has taken."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select

from ciclo.billimatic import TransientApiError
from ciclo.domain.continuity import Continuity
from ciclo.domain.contract_terms import ContractTerm, TermKind
from ciclo.domain.letter import LetterKind, Letters, addresses
from ciclo.domain.recurrence import DateRange
from ciclo.failpoints import FailpointReached
from ciclo.jobs.price_updates import (
    LetterNotTakenError,
    LetterOptions,
    MailServerAwayError,
    UpdateOptions,
    write_letters,
)
from ciclo.ledger.actions import NotPossible, agree_term
from ciclo.ledger.letters import LetterStyle, LetterTemplateError, ask_letter, letter_page
from ciclo.ledger.repositories import Actor, AuditRepository, Scope
from ciclo.ledger.tables import Letter
from company import company, contract, rule, scheduled_update, service

EXECUTION = date(2025, 6, 10)
CUSTOMER = {
    "id": 1010,
    "name": "Padaria Aurora",
    "company_name": "Padaria Aurora Ltda.",
    "billing_contacts": "financeiro@aurora.example; fiscal@aurora.example, não é endereço",
}


@pytest.fixture
def readjusted(billing):
    """A yearly rule of 2023 at R$ 1.000,00 with a readjustment by IGP-M on 10 June 2025, its customer known."""

    def start(customer=CUSTOMER, **given):
        yearly = {"init_date": "2023-06-20", "timing": {"month_quantity": 12}, "created_at": None}
        updates = [scheduled_update(**given)]
        state = company(rule(gross_value="1000.0", scheduled_updates=updates, **yearly), companies=[customer])
        run = billing(state, today=date(2025, 6, 1))
        run.expand(date(2023, 1, 1), date(2025, 12, 31))
        return run

    return start


class Office:
    """Where letters are handed over; it may refuse."""

    def __init__(self, refuses=None):
        self.mails, self.refuses = [], refuses

    def __call__(self, mail):
        if self.refuses is not None:
            raise self.refuses
        self.mails.append(mail)


def write(run, office, letters=Letters.BOTH, *, today, template=None, updates=None):
    options = LetterOptions(letters, LetterStyle(template))
    scope = Scope(DateRange.days(date(2000, 1, 1), date(2025, 12, 31)))
    return write_letters(run.ctx, scope, updates or UpdateOptions(), options, office, today=today)


def applied(run):
    run.today = EXECUTION
    run.expand(date(2023, 1, 1), EXECUTION)
    run.apply(EXECUTION, today=EXECUTION)
    assert run.execution().state == "applied", run.execution().reason


def rows(run):
    run.ctx.session.expire_all()
    return list(run.ctx.session.scalars(select(Letter).order_by(Letter.id)))


def test_a_letter_goes_out_on_the_day_of_the_reminder_and_another_after_the_update_each_once(readjusted):
    run, office = readjusted(), Office()

    assert write(run, office, today=date(2025, 6, 2)).sent == 0
    assert write(run, office, today=date(2025, 6, 3)).sent == 1
    assert write(run, office, today=date(2025, 6, 4)).sent == 0
    applied(run)
    assert write(run, office, today=EXECUTION).sent == 1
    assert write(run, office, today=EXECUTION).sent == 0

    before, after = office.mails
    assert before.recipients == after.recipients == ("financeiro@aurora.example", "fiscal@aurora.example")
    assert after.subject == "Reajuste do contrato Contrato 10 em 10/06/2025"
    for mail in (before, after):
        for words in ("Padaria Aurora Ltda.", "IGP-M (FGV)", "06/2024 a 05/2025", "7,026183 %", "R$ 1.000,00"):
            assert words in mail.html
        assert "R$ 1.070,26" in mail.html
        assert "Luz do Sul Serviços Ltda." in mail.html
    assert "serão reajustados" in before.html
    assert "foram reajustados" in after.html
    assert [(row.kind, row.state) for row in rows(run)] == [("before", "sent"), ("after", "sent")]
    assert rows(run)[1].body == after.html


def test_a_customer_about_whom_the_vendor_only_fails_keeps_no_other_letter_from_leaving(billing):
    yearly = {"init_date": "2023-06-20", "timing": {"month_quantity": 12}, "created_at": None, "gross_value": "1000.0"}
    rules = [rule(n, 9 + n, scheduled_updates=[scheduled_update(499 + n)], **yearly) for n in (1, 2, 3)]
    run = billing(company(*rules, companies=[CUSTOMER | {"id": 1009 + n} for n in (1, 2, 3)]), today=date(2025, 6, 1))
    run.expand(date(2023, 1, 1), date(2025, 12, 31))
    run.sandbox.faults([{"method": "GET", "path": "companies/1010", "kind": "error_before"}])
    office = Office()
    with pytest.raises(TransientApiError):
        write(run, office, today=date(2025, 6, 3))
    assert [row.contract_id for row in rows(run)] == [11, 12]
    run.sandbox.clear_faults()
    assert write(run, office, today=date(2025, 6, 4)).sent == 1


@pytest.mark.parametrize(("letters", "sent"), [(Letters.OFF, 0), (Letters.BEFORE, 1), (Letters.AFTER, 1)])
def test_only_the_letters_that_are_wanted_go_out(readjusted, letters, sent):
    run, office = readjusted(), Office()
    write(run, office, letters, today=date(2025, 6, 3))
    applied(run)
    write(run, office, letters, today=EXECUTION)
    assert len(office.mails) == sent


def test_what_is_not_published_yet_is_said_to_be_missing(readjusted):
    run, office = readjusted(days_until_update=60, init_date="2026-12-10", execution_date="2026-12-10"), Office()

    write(run, office, today=date(2026, 10, 30))

    [mail] = office.mails
    assert "a divulgar" in mail.html
    assert "11/2026" in mail.html


def test_a_figure_that_a_person_has_to_decide_about_is_not_announced(readjusted, billing):
    run, office = readjusted(), Office()
    document = run.sandbox.state()
    document["invoice_rules"][0]["gross_value"] = "1100.0"
    run.sandbox.put_state(document)
    run.expand(date(2023, 1, 1), date(2025, 12, 31))
    run.today = date(2025, 6, 3)

    assert write(run, office, today=date(2025, 6, 3)).sent == 0
    assert office.mails == []


def test_the_figure_that_is_taken_unasked_is_the_one_announced(readjusted):
    """Yearly until June 2025, every two years since: with `apply` it is the unused year that counts."""
    run, office = readjusted(), Office()
    applied(run)
    document = run.sandbox.state()
    document["invoice_rules"][0]["scheduled_updates"][0] |= {
        "init_date": "2026-06-10",
        "execution_date": "2026-06-10",
        "month_quantity": 24,
    }
    run.sandbox.put_state(document)
    run.today = date(2026, 6, 3)
    run.expand(date(2023, 1, 1), date(2025, 12, 31))

    assert write(run, office, Letters.BEFORE, today=date(2026, 6, 3)).sent == 0
    asked = UpdateOptions(continuity=Continuity.APPLY)
    assert write(run, office, Letters.BEFORE, today=date(2026, 6, 3), updates=asked).sent == 1

    assert "R$ 1.091,28" in office.mails[0].html
    assert "06/2025 a 05/2026" in office.mails[0].html
    assert "1.167,96" not in office.mails[0].html


def test_a_second_readjustment_of_the_day_is_announced_from_the_price_that_the_first_leaves(billing):
    updates = [scheduled_update(500), scheduled_update(501, service_item_id=1, price_index="ipca")]
    lines = [service(31, "100.0", item=1)]
    yearly = {"init_date": "2023-06-20", "timing": {"month_quantity": 12}, "created_at": None}
    state = company(rule(services=lines, scheduled_updates=updates, **yearly), companies=[CUSTOMER])
    run, office = billing(state, today=date(2025, 6, 3)), Office()
    run.expand(date(2023, 1, 1), date(2025, 12, 31))

    write(run, office, Letters.BEFORE, today=date(2025, 6, 3))

    first, second = office.mails
    assert ("R$ 100,00" in first.html, "R$ 107,03" in first.html) == (True, True)
    assert ("R$ 107,03" in second.html, "R$ 112,95" in second.html) == (True, True)


def test_a_second_readjustment_of_the_day_that_a_person_is_asked_about_is_not_announced(billing):
    updates = [scheduled_update(500), scheduled_update(501, service_item_id=1)]
    lines = [service(31, "100.0", item=1)]
    yearly = {"init_date": "2023-06-20", "timing": {"month_quantity": 12}, "created_at": None}
    state = company(rule(services=lines, scheduled_updates=updates, **yearly), companies=[CUSTOMER])
    run, office = billing(state, today=date(2025, 6, 3)), Office()
    run.expand(date(2023, 1, 1), date(2025, 12, 31))

    assert write(run, office, Letters.BEFORE, today=date(2025, 6, 3)).sent == 1


def test_the_contracts_terms_stand_in_the_letter(readjusted):
    run, office = readjusted(), Office()
    cap = ContractTerm(
        kind=TermKind.CAP, percent=Decimal(5), effective_from=date(2025, 1, 1), author="ana", clause="7.2"
    )
    agree_term(run.ctx.session, run.ctx.organization_id, 10, cap, note="signed", at=run.ctx.clock())
    run.ctx.session.commit()

    write(run, office, today=date(2025, 6, 3))

    assert "R$ 1.050,00" in office.mails[0].html
    assert "cláusula 7.2" in office.mails[0].html
    assert "(7.2)" in office.mails[0].html


def test_where_no_price_changes_nothing_is_written(readjusted):
    run, office = readjusted(), Office()
    fixed = ContractTerm(kind=TermKind.FIXED, percent=Decimal(0), effective_from=date(2025, 1, 1), author="ana")
    agree_term(run.ctx.session, run.ctx.organization_id, 10, fixed, note="signed", at=run.ctx.clock())
    run.ctx.session.commit()
    assert write(run, office, today=date(2025, 6, 3)).sent == 0


def test_a_customer_without_an_address_is_shown_and_written_to_once_there_is_one(readjusted):
    run, office = readjusted(CUSTOMER | {"billing_contacts": "telefone 11 5555-0000"}), Office()

    outcome = write(run, office, today=date(2025, 6, 3))
    assert (outcome.no_address, [row.state for row in rows(run)]) == (1, ["no_address"])
    assert "no address" in outcome.problems[0].message
    document = run.sandbox.state()
    document["companies"][0]["billing_contacts"] = "financeiro@aurora.example"
    run.sandbox.put_state(document)

    assert write(run, office, today=date(2025, 6, 4)).sent == 1
    assert [row.state for row in rows(run)] == ["sent"]


def test_a_natural_person_is_written_to_at_the_address_that_the_vendor_has(billing):
    updates = [scheduled_update()]
    yearly = {"init_date": "2023-06-20", "timing": {"month_quantity": 12}, "created_at": None}
    state = company(
        rule(gross_value="1000.0", scheduled_updates=updates, **yearly),
        contracts=[contract(10, customer_id=77, customer_type="Person")],
        people=[{"id": 77, "name": "Ana Souza", "email": "ana@souza.example"}],
    )
    run, office = billing(state, today=date(2025, 6, 1)), Office()
    run.expand(date(2023, 1, 1), date(2025, 12, 31))

    write(run, office, today=date(2025, 6, 3))

    assert office.mails[0].recipients == ("ana@souza.example",)


def test_what_the_server_refused_is_tried_again_and_what_nobody_knows_is_not(readjusted):
    run = readjusted()
    refused = write(run, Office(LetterNotTakenError("SMTPRecipientsRefused")), today=date(2025, 6, 3))
    assert (refused.failed, rows(run)[0].state) == (1, "failed")
    with pytest.raises(MailServerAwayError):
        write(run, Office(MailServerAwayError("away")), today=date(2025, 6, 4))
    assert rows(run)[0].state == "failed"

    lost = write(run, Office(ConnectionResetError()), today=date(2025, 6, 5))
    assert (lost.in_doubt, rows(run)[0].state) == (1, "in_doubt")

    office = Office()
    assert write(run, office, today=date(2025, 6, 6)).sent == 0
    assert office.mails == []


def test_a_run_that_died_while_it_sent_leaves_the_letter_in_doubt_and_nobody_sends_it_again(readjusted, monkeypatch):
    run, office = readjusted(), Office()

    def dies(name):
        if name == "letter.claimed":
            raise FailpointReached(name)

    with monkeypatch.context() as patched:
        patched.setattr("ciclo.jobs.price_updates.letters.failpoint", dies)
        with pytest.raises(FailpointReached):
            write(run, office, today=date(2025, 6, 3))
    assert rows(run)[0].state == "sending"
    assert write(run, office, today=date(2025, 6, 3)).sent == 0
    now = run.ctx.clock()
    run.ctx = replace(run.ctx, clock=lambda: now + timedelta(hours=1))

    assert write(run, office, today=date(2025, 6, 3)).in_doubt == 1
    assert write(run, office, today=date(2025, 6, 4)).sent == 0
    assert ([row.state for row in rows(run)], office.mails) == (["in_doubt"], [])


def test_a_person_may_ask_for_a_letter_again_with_a_note_also_where_letters_are_off(readjusted):
    run, office = readjusted(), Office()
    write(run, office, today=date(2025, 6, 3))
    session, organization_id, at = run.ctx.session, run.ctx.organization_id, run.ctx.clock()
    asked = {"kind": "before", "person": "ana", "note": "the customer lost it", "at": at}

    assert ask_letter(session, organization_id, run.execution().id, **asked).changed
    assert not ask_letter(session, organization_id, run.execution().id, **asked).changed
    session.commit()

    assert write(run, office, Letters.OFF, today=date(2025, 6, 4)).sent == 1
    assert write(run, office, Letters.OFF, today=date(2025, 6, 4)).sent == 0
    assert [(row.sequence, row.state, row.person) for row in rows(run)] == [(1, "sent", None), (2, "sent", "ana")]
    trail = AuditRepository(session, organization_id, Actor()).trail("letter", rows(run)[1].id)
    assert [entry.to_state for entry in trail] == ["asked", "sending", "sent"]


def test_the_page_is_the_letter_as_it_was_sent_else_as_it_would_be_written(readjusted):
    run, office = readjusted(), Office()
    session, organization_id, style = run.ctx.session, run.ctx.organization_id, LetterStyle()
    applied(run)
    number = run.execution().id

    drawn = letter_page(session, organization_id, number, LetterKind.AFTER, style, today=EXECUTION)
    assert "R$ 1.070,26" in drawn
    with pytest.raises(NotPossible):
        letter_page(session, organization_id, number, LetterKind.BEFORE, style, today=EXECUTION)
    write(run, office, today=EXECUTION)
    sent = letter_page(session, organization_id, number, LetterKind.AFTER, style, today=date(2026, 1, 1))
    assert sent == office.mails[0].html
    english = LetterStyle(locale="en")
    assert "Padaria" not in drawn
    assert "were readjusted by IGP-M" not in sent
    run.ctx.session.delete(rows(run)[0])
    assert "were readjusted by IGP-M" in letter_page(
        session, organization_id, number, LetterKind.AFTER, english, today=EXECUTION
    )


def test_a_companys_own_template_sees_the_letter_and_nothing_else_and_is_escaped(readjusted, tmp_path):
    run, office = readjusted(CUSTOMER | {"company_name": "<script>alert(1)</script>"}), Office()
    own = tmp_path / "carta.html"
    own.write_text(
        '{% set subject = "Carta\\nde " ~ letter.rule %}<p>{{ letter.customer }} {{ letter.prices[0].new | brl }}</p>',
        encoding="utf-8",
    )

    write(run, office, today=date(2025, 6, 3), template=own)

    [mail] = office.mails
    assert mail.html == "<p>&lt;script&gt;alert(1)&lt;/script&gt; R$ 1.070,26</p>"
    assert mail.subject == "Carta de Regra 1"


@pytest.mark.parametrize(
    "text",
    [
        "{{ letter.nothing }}",
        "{% for",
        "{{ letter.__class__.__mro__ }}",
        "{% include 'secrets' %}",
        "{{ ''.__class__.__base__.__subclasses__() }}",
    ],
)
def test_a_template_that_cannot_be_used_or_reaches_further_sends_nothing_and_is_named(readjusted, tmp_path, text):
    run, office = readjusted(), Office()
    own = tmp_path / "carta.html"
    own.write_text(text, encoding="utf-8")
    with pytest.raises(LetterTemplateError, match=r"carta\.html"):
        write(run, office, today=date(2025, 6, 3), template=own)
    assert (office.mails, rows(run)) == ([], [])


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (None, ()),
        ("a@b.com", ("a@b.com",)),
        ("a@b.com;c@d.com.br, a@b.com", ("a@b.com", "c@d.com.br")),
        ("Ana <ana@b.com>", ()),
        ("a@b.com\r\nBcc: evil@x.com", ("a@b.com", "evil@x.com")),
        ("a@b", ()),
    ],
)
def test_addresses_are_told_from_whatever_else_stands_in_the_field(text, found):
    assert addresses(text) == found

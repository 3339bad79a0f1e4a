"""Instructions: the vendor is told once what a person asked for, whatever is lost on the way."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select

from ciclo.billimatic import AuthenticationError, TransientApiError
from ciclo.domain.findings import FindingKind
from ciclo.domain.instructions import InstructionKind
from ciclo.domain.states import ReasonKind
from ciclo.domain.wording import said
from ciclo.failpoints import FailpointReached
from ciclo.jobs.context import ClaimOptions, LeaseTooShortError
from ciclo.jobs.reconciliation.instruct import PATIENCE, carry_out
from ciclo.ledger.actions import NoSuchRow, NotPossible, Receipt, UnusableNote, instruct, withdraw_instruction
from ciclo.ledger.tables import Finding, Instruction, Invoice
from company import TODAY, company, rule

K = InstructionKind
OPTIONS = ClaimOptions()
PAID = Receipt(Decimal("140.00"), date(2025, 2, 3))
STEPS = ("instruct.claimed", "instruct.sending", "instruct.sent", "instruct.recording", "instruct.recorded")


@pytest.fixture
def office(billed, reconciled):
    """An invoice that is billed and one that is not, in the ledger as at the vendor."""

    class Office:
        def __init__(self):
            self.box, self.ctx = billed(company(rule(1)))
            first, second = self.box.state()["invoices"][:2]
            self.box.emit(first["id"])
            self.invoice, self.line = first["id"], first["receivables"][0]["id"]
            self.planned, self.planned_line = second["id"], second["receivables"][0]["id"]
            reconciled(self.ctx)
            self.ctx.session.commit()
            self.box.clear_requests()

        def ask(self, kind, number=None, receipt=PAID, *, person="ana", note="bank statement"):
            ctx = self.ctx
            number = number or (self.line if kind.subject == "receivable" else self.planned)
            given = {"receipt": receipt} if kind is K.RECEIVE else {}
            at = ctx.clock()
            outcome = instruct(
                ctx.session, ctx.organization_id, number, kind=kind, person=person, note=note, at=at, **given
            )
            ctx.session.commit()
            return outcome

        def run(self, ctx=None, **given):
            return carry_out(ctx or self.ctx, OPTIONS, owner="run", today=TODAY, **given)

        def later(self, elapsed=timedelta(hours=1)):
            now = self.ctx.clock()
            self.ctx = replace(self.ctx, clock=lambda: now + elapsed)

        def rows(self):
            self.ctx.session.expire_all()
            return list(self.ctx.session.scalars(select(Instruction).order_by(Instruction.id)))

        @property
        def states(self):
            return [row.state for row in self.rows()]

        def remote(self, number=None):
            return next(each for each in self.box.state()["invoices"] if each["id"] == (number or self.invoice))

        def told(self, word):
            """How many writes of a kind the vendor was sent."""
            return sum(each["path"].endswith(f"/{word}") for each in self.box.requests() if each["method"] == "PATCH")

        def findings(self):
            kind = FindingKind.INSTRUCTION_REFUSED.value
            query = select(Finding).where(Finding.kind == kind, Finding.closed_at.is_(None))
            return list(self.ctx.session.scalars(query))

    return Office()


def test_a_receipt_is_recorded_once_and_the_ledger_follows_with_the_persons_name(office):
    assert office.ask(K.RECEIVE).changed
    assert office.run().counts() == {"done": 1, "in_doubt": 0, "refused": 0}
    assert office.run().counts() == {"done": 0, "in_doubt": 0, "refused": 0}

    line = office.remote()["receivables"][0]
    assert (line["state"], line["received_value"], line["received_at"]) == ("received", "140.0", "03/02/2025")
    assert office.told("receive") == 1
    row = office.ctx.reconciliation.receivables([office.invoice])[office.invoice][0]
    assert (row.state, row.received_value, row.received_at) == ("received", Decimal("140.00"), date(2025, 2, 3))
    trail = office.ctx.audit.trail("instruction", office.rows()[0].id)
    assert [entry.to_state for entry in trail] == ["asked", "sending", "done"]
    assert said(trail[0].reason) == "asked for by ana: bank statement"


def test_what_is_left_out_of_a_receipt_is_all_that_is_owed_today(office):
    office.ask(K.RECEIVE, receipt=Receipt())
    office.run()
    line = office.remote()["receivables"][0]
    assert (line["received_value"], line["received_at"]) == ("150.0", "10/01/2026")


def test_all_that_is_owed_is_without_the_withheld_taxes(office):
    office.box.edit(office.invoice, payment_value="140.78")
    office.ask(K.RECEIVE, receipt=Receipt())
    assert office.ask(K.RECEIVE).message == "Already asked for by ana: all that is owed on 2026-01-10."
    assert office.run().counts() == {"done": 1, "in_doubt": 0, "refused": 0}
    assert office.remote()["receivables"][0]["received_value"] == "140.78"
    assert office.rows()[0].facts["amount"] == "140.78"


def test_a_receipt_that_was_corrected_since_is_not_taken_back(office, reconciled):
    office.box.receive(office.line, on="2025-02-03", value="90.00")
    reconciled(office.ctx)
    office.ask(K.UNDO_RECEIPT)
    office.box.undo_receival(office.line)
    office.box.receive(office.line, on="2025-02-04", value="150.00")
    [found] = office.run().refused
    assert "received value 90.00 became 150.00" in found.sentence
    assert (office.remote()["state"], office.told("undo_receipt")) == ("received", 0)


def test_a_second_click_adds_nothing_and_says_who_was_first(office):
    office.ask(K.RECEIVE)
    again = office.ask(K.RECEIVE, person="rui")
    assert (again.changed, again.message) == (False, "Already asked for by ana: R$ 140,00 on 2025-02-03.")
    office.run()
    with pytest.raises(NotPossible, match="received"):
        office.ask(K.RECEIVE)
    assert office.states == ["done"]


def test_a_receipt_is_undone_and_recorded_again(office):
    office.ask(K.RECEIVE)
    office.run()
    office.ask(K.UNDO_RECEIPT)
    assert office.run().done == 1
    assert office.remote()["receivables"][0]["state"] == "to_receive"
    office.ask(K.RECEIVE, receipt=Receipt())
    assert office.run().done == 1
    assert office.states == ["done"] * 3
    assert (office.told("receive"), office.told("undo_receipt")) == (2, 1)


def test_the_ledger_knows_of_an_approval_what_the_vendor_said_last(office, reconciled):
    def known():
        office.ctx.session.expire_all()
        return office.ctx.session.get(Invoice, (office.ctx.organization_id, office.planned)).approval_status

    assert known() == "approved"
    office.ask(K.BLOCK)
    office.run()
    reconciled(office.ctx)
    assert known() == "blocked"


def test_an_invoice_is_blocked_and_approved(office):
    office.ask(K.BLOCK)
    assert office.run().done == 1
    assert office.remote(office.planned)["approval_status"] == "blocked"
    office.ask(K.APPROVE)
    assert office.run().done == 1
    assert office.remote(office.planned)["approval_status"] == "approved"


def test_boletos_are_made_once_and_linked(office):
    office.ask(K.CREATE_CHARGES)
    assert office.run().done == 1
    line = office.ctx.reconciliation.receivables([office.planned])[office.planned][0]
    assert line.boleto_url
    assert office.told("create_charges") == 1
    with pytest.raises(NotPossible, match="boleto already"):
        office.ask(K.CREATE_CHARGE, office.planned_line)


def test_the_boleto_of_one_receivable_and_those_of_its_invoice_are_not_asked_for_at_once(office):
    office.ask(K.CREATE_CHARGE, office.planned_line)
    with pytest.raises(NotPossible, match="Create boleto is under way, asked for by ana"):
        office.ask(K.CREATE_CHARGES)
    assert office.run().done == 1
    assert office.told("create_charge") == 1


def test_what_is_so_at_the_vendor_already_is_not_sent(office):
    office.ask(K.RECEIVE)
    office.box.receive(office.line, on="2025-02-03", value="140.00")
    office.ask(K.APPROVE)
    assert office.run().done == 2
    assert {row.reason.kind for row in office.rows()} == {ReasonKind.SO_ALREADY}
    assert (office.told("receive"), office.told("approve")) == (0, 0)


def test_what_is_withdrawn_is_not_sent(office):
    office.ask(K.RECEIVE)
    ctx, number = office.ctx, office.rows()[0].id
    given = {"person": "ana", "note": "another customer's", "at": ctx.clock()}
    assert withdraw_instruction(ctx.session, ctx.organization_id, number, **given).changed
    assert not withdraw_instruction(ctx.session, ctx.organization_id, number, **given).changed
    ctx.session.commit()
    assert office.run().counts() == {"done": 0, "in_doubt": 0, "refused": 0}
    assert office.told("receive") == 0
    assert office.ask(K.RECEIVE).changed
    office.run()
    with pytest.raises(NotPossible, match="taken back no more"):
        withdraw_instruction(ctx.session, ctx.organization_id, office.rows()[1].id, **given)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda box, office: box.receive(office.line, on="2025-02-04", value="150.00"), "received"),
        (lambda box, office: box.cancel(office.invoice), "it is cancelled at the vendor"),
        (lambda box, office: set_value(box, office.invoice, "170.0"), "gross value 150.00 became 170.0"),
    ],
)
def test_what_changed_since_it_was_asked_for_stops_it_and_is_shown_to_a_person(office, change, words):
    office.ask(K.RECEIVE)
    change(office.box, office)
    [found] = office.run().refused
    assert words in found.sentence
    assert "ana" in found.sentence
    assert office.states == ["refused"]
    assert office.told("receive") == 0
    [finding] = office.findings()
    assert (finding.subject, finding.amount) == ("instruction", Decimal("150.00"))


def set_value(box, number, value):
    state = box.state()
    invoice = next(each for each in state["invoices"] if each["id"] == number)
    invoice["gross_value"] = invoice["receivables"][0]["gross_value"] = value
    box.put_state(state)


def test_what_is_gone_is_refused(office):
    office.ask(K.BLOCK)
    state = office.box.state()
    state["invoices"] = [each for each in state["invoices"] if each["id"] != office.planned]
    office.box.put_state(state)
    [found] = office.run().refused
    assert "no longer at the vendor" in found.sentence


def test_a_refusal_closes_when_something_else_is_asked_for(office):
    office.ask(K.RECEIVE)
    set_value(office.box, office.invoice, "170.0")
    office.run()
    assert len(office.findings()) == 1
    office.ask(K.RECEIVE, receipt=Receipt(Decimal("170.00")))  # the run has read the new value
    assert office.run().done == 1
    assert office.findings() == []


def test_a_lost_answer_is_looked_up_and_not_sent_again(office):
    office.ask(K.RECEIVE)
    office.box.faults([{"method": "PATCH", "path": ".*/receive", "kind": "error_after", "count": 1}])
    assert office.run().in_doubt == 1
    assert office.states == ["in_doubt"]
    assert office.run().in_doubt == 0  # it may still arrive: nobody looks yet
    office.later()
    assert office.run().done == 1
    assert office.told("receive") == 1


@pytest.mark.parametrize("kind", [K.RECEIVE, K.BLOCK])
def test_what_never_arrived_is_sent_again_once(office, kind):
    office.ask(kind)
    word = kind.value
    office.box.faults([{"method": "PATCH", "path": f".*/{word}", "kind": "error_before", "count": 1}])
    assert office.run().in_doubt == 1
    office.later()
    assert office.run().done == 1
    assert office.told(word) == 2


def test_a_second_lost_answer_is_a_persons_matter(office):
    office.ask(K.RECEIVE)
    office.box.faults([{"method": "PATCH", "path": ".*/receive", "kind": "error_before", "count": 2}])
    for _ in range(2):
        office.run()
        office.later()
    [found] = office.run().refused
    assert "lost a second time" in found.sentence
    assert office.told("receive") == 2


def test_boletos_whose_answer_was_lost_are_never_asked_for_again(office):
    office.ask(K.CREATE_CHARGES)
    office.box.faults([{"method": "PATCH", "path": ".*/create_charges", "kind": "error_before", "count": 1}])
    office.run()
    office.later()
    assert office.run().in_doubt == 1
    office.later(PATIENCE)
    [found] = office.run().refused
    assert f"no boleto of receivables {office.planned_line}" in found.sentence
    assert office.told("create_charges") == 1


def test_a_boleto_that_the_bank_refuses_is_said_with_its_words(office):
    state = office.box.state()
    state["behaviour"] = state["behaviour"] | {"charge_errors": 1.0}
    office.box.put_state(state)
    office.ask(K.CREATE_CHARGES)
    [found] = office.run().refused
    assert "Cobrato" in found.sentence


def test_a_refusal_of_boletos_closes_where_every_receivable_that_is_left_has_one(office, reconciled):
    state = office.box.state()
    state["behaviour"] = state["behaviour"] | {"charge_errors": 1.0}
    office.box.put_state(state)
    office.ask(K.CREATE_CHARGES)
    office.run()
    assert len(office.findings()) == 1
    state = office.box.state()
    [planned] = [each for each in state["invoices"] if each["id"] == office.planned]
    planned["receivables"][0] |= {"id": 9001, "billet_url": "https://example.org/9001.pdf", "cobrato_errors": None}
    office.box.put_state(state)
    reconciled(office.ctx)
    office.run()
    assert office.findings() == []


def test_a_refusal_of_the_api_is_kept_with_its_words(office):
    office.ask(K.BLOCK)
    state = office.box.state()
    for each in state["invoices"]:
        each["approval_status"] = None
    office.box.put_state(state)
    office.run()
    assert office.states[0] in {"done", "refused"}  # an answer that says nothing of it is asked all the same


def test_a_pause_gives_the_claim_back_and_the_next_run_sends_it(office):
    office.ask(K.RECEIVE)
    office.box.faults([{"method": "PATCH", "path": ".*/receive", "kind": "rate_limit", "seconds": 3600}])
    with pytest.raises(TransientApiError):
        office.run()
    assert office.states == ["asked"]
    office.box.clear_faults()
    assert office.run().done == 1


def test_a_wrong_token_gives_the_claim_back(office, client):
    office.ask(K.RECEIVE)
    stranger = replace(office.ctx, api=client(office.box, token="wrong"))
    with pytest.raises(AuthenticationError):
        office.run(stranger)
    assert office.states == ["asked"]


def test_a_lease_in_which_nothing_can_be_sent_is_refused(office):
    with pytest.raises(LeaseTooShortError):
        carry_out(office.ctx, ClaimOptions(lease=timedelta(seconds=1)), owner="run", today=TODAY)


@pytest.mark.parametrize("kind", [K.RECEIVE, K.BLOCK, K.CREATE_CHARGES])
@pytest.mark.parametrize("step", STEPS)
def test_a_run_that_dies_leaves_nothing_that_is_sent_twice(office, monkeypatch, step, kind):
    office.ask(kind)

    def dies(name):
        if name == step:
            raise FailpointReached(name)

    with monkeypatch.context() as patched:
        patched.setattr("ciclo.jobs.reconciliation.instruct.failpoint", dies)
        with pytest.raises(FailpointReached):
            office.run()
    office.ctx.session.rollback()  # what a killed process takes with it
    sent = office.told(kind.value)
    assert office.run().done == 0  # its claim holds
    office.later()
    office.run()
    office.later()
    office.run()

    never = kind.charges and sent == 0 and step == "instruct.sending"
    assert office.states == (["in_doubt"] if never else ["done"])
    assert office.told(kind.value) == (0 if never else 1)


def test_a_run_that_dies_while_it_looks_up_changes_nothing(office, monkeypatch):
    office.ask(K.RECEIVE)
    office.box.faults([{"method": "PATCH", "path": ".*/receive", "kind": "error_after", "count": 1}])
    office.run()
    office.later()

    def dies(name):
        raise FailpointReached(name)

    with monkeypatch.context() as patched:
        patched.setattr("ciclo.jobs.reconciliation.instruct.failpoint", dies)
        with pytest.raises(FailpointReached):
            office.run()
    assert office.states == ["in_doubt"]
    assert office.run().done == 1
    assert office.told("receive") == 1


def test_other_contracts_are_left_alone(office):
    office.ask(K.RECEIVE)
    assert office.run(contract_ids=(11,)).done == 0
    assert office.run(contract_ids=(10,)).done == 1


def test_what_cannot_be_meant_is_refused_when_it_is_asked_for(office):
    for receipt in (Receipt(Decimal(0)), Receipt(Decimal("1.005")), Receipt(None, date(2026, 1, 11))):
        with pytest.raises(NotPossible):
            office.ask(K.RECEIVE, receipt=receipt)
    with pytest.raises(NotPossible, match="Record receipt: it is to emit"):
        office.ask(K.RECEIVE, office.planned_line)
    with pytest.raises(NotPossible, match="Approve: it is to receive"):
        office.ask(K.APPROVE, office.invoice)
    with pytest.raises(NoSuchRow):
        office.ask(K.BLOCK, 99)
    with pytest.raises(NoSuchRow):
        office.ask(K.RECEIVE, 99)
    with pytest.raises(UnusableNote):
        office.ask(K.RECEIVE, note=" ")
    assert office.states == []


def test_an_invoice_about_which_the_vendor_only_fails_keeps_no_other_from_being_told(office):
    office.ask(K.RECEIVE)
    office.ask(K.CREATE_CHARGES, office.invoice)
    office.ask(K.APPROVE)
    path = f"invoices/{office.invoice}"
    office.box.faults([{"method": "GET", "path": path, "kind": "error_before", "count": 1000}])

    assert office.run().counts() == {"done": 1, "in_doubt": 1, "refused": 0}
    assert office.states == ["asked", "asked", "done"]
    office.box.clear_faults()
    assert (office.run().in_doubt, office.states[0]) == (0, "done")

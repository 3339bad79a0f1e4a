"""What is new in the vendor's answers is reported once, by the ledger's memory."""

from ciclo.jobs.steps.contracts import report_drift
from company import company, contract, rule


def test_a_word_that_was_never_seen_before_is_reported_once(sandbox, job, caplog):
    box = sandbox(company(rule(1), contracts=[contract(10, name="Fulano de Tal", status="suspended")]))
    ctx = job(box)
    first, second = report_drift(ctx), report_drift(ctx)
    assert [drift.path for drift in first.new] == ["contract.status"]
    assert (first.counts()["new_shapes"], second.counts()["new_shapes"]) == (1, 0)
    assert "contract.status: the word suspended was never seen before" in caplog.text
    assert "Fulano" not in caplog.text

"""How a period's own invoice differs from its rule, as findings: the same whether issuing or reconciliation sees it."""

from ciclo.domain.calendar import first_of_month
from ciclo.domain.findings import FindingKind
from ciclo.domain.states import Fact
from ciclo.jobs.issuing.match import Difference, PeriodKey, RemoteInvoice
from ciclo.ledger.repositories import Disagreement


def finding_of(key: PeriodKey, contract_id: int, invoice_id: int, difference: Difference) -> Disagreement:
    """Return a difference as a finding about the invoice, of the month of its period."""
    facts: dict[str, Fact] = {
        "contract_id": contract_id,
        "rule_id": key.rule_id,
        "issue_date": key.issue_date.isoformat(),
        "invoice_id": invoice_id,
        "expected": difference.expected,
        "found": difference.found,
    }
    if difference.amount is not None:
        facts["amount"] = str(difference.amount)
    return Disagreement(
        kind=difference.kind,
        subject="invoice",
        subject_id=invoice_id,
        contract_id=contract_id,
        billing_month=first_of_month(key.issue_date),
        facts=facts,
        expected=difference.expected,
        found=difference.found,
        amount=difference.amount,
    )


def one_too_many(key: PeriodKey, own_id: int, second: RemoteInvoice) -> Disagreement:
    """Return that an invoice is alive beside a period's own."""
    said = f"invoice {own_id}", f"invoice {second.id} too"
    twice = Difference(FindingKind.DUPLICATED_REMOTELY, *said, second.gross_value)
    return finding_of(key, second.contract_id, second.id, twice)

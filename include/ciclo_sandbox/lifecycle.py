"""What happens to invoices and receivables: issue, charge, receipt, cancellation, and their undoing.

An invoice's state follows its receivables', and every event that the vendor tells is told once.
"""

from datetime import date
from decimal import Decimal
from hashlib import blake2b
from typing import Final

from ciclo_sandbox import parsing
from ciclo_sandbox.account import Account
from ciclo_sandbox.answers import Json, NotFoundRefusal, ParameterRefusal
from ciclo_sandbox.calendar import add_business_days
from ciclo_sandbox.models import Nfse
from ciclo_sandbox.storage import RECEIVABLES

_CHARGE_ERROR: Final = "Ocorreu um erro ao criar a cobrança no Cobrato. Corrija o faturamento e sincronize."
_FINANCE_ERROR: Final = (
    "Ocorreu um erro ao criar recebível no Myfinance. Verifique os erros: A entidade não foi encontrada no Myfinance. "
    "Corrija o faturamento e sincronize."
)
_CITY_ERROR: Final = "E160: inscrição municipal do tomador não encontrada."
_DOCUMENTS: Final = "https://faturamento.fintera.com.br/docs"


def find_invoice(account: Account, number: int) -> Json:
    """Return an invoice to change.

    Raises:
        NotFoundRefusal: There is no such invoice.
    """
    invoice = account.invoices.get(number)
    if invoice is None:
        raise NotFoundRefusal
    return invoice


def find_receivable(account: Account, number: int) -> tuple[Json, Json]:
    """Return the invoice of a receivable, and the receivable in it.

    Raises:
        NotFoundRefusal: There is no such receivable.
    """
    rows = account.invoices.receivable_rows(RECEIVABLES.c.id == number)
    if not rows:
        raise NotFoundRefusal
    invoice = find_invoice(account, rows[0][1])
    return invoice, next(line for line in invoice["receivables"] if line["id"] == number)


def emit(account: Account, invoice: Json, on: date) -> None:
    """Mark an invoice as billed on a day: `issue_date` becomes that day, `estimated_issue_date` and due dates stay.

    Its receivables become due, finance entries are made, boletos where it is paid by them, and its NFS-e perhaps.
    """
    _require(invoice, "to_emit", "emitido")
    by_boleto = (invoice["payment_information"] or {}).get("payment_method") not in ("transfer", "payment_gateway")
    invoice |= {"state": "to_receive", "issue_date": parsing.brazilian(on)}
    for line in invoice["receivables"]:
        if line["state"] == "to_emit":
            line["state"] = "to_receive"
            if by_boleto and not line["cobrato_charge_id"]:
                _charge(account, invoice, line)
            _enter_in_finance(account, invoice, line)
    if invoice["issue_nfse"] and not invoice["nfe_issued"] and not invoice["days_until_automatic_nfe_emission"]:
        issue_nfse(account, invoice, on)
    account.event("emit", "Invoice", invoice)
    account.invoices.change(invoice)


def create_charges(account: Account, invoice: Json) -> None:
    """Ask for the boletos of an invoice's receivables that wait for money; the outcome is told by webhook."""
    for line in invoice["receivables"]:
        if line["state"] in ("to_emit", "to_receive"):
            _charge(account, invoice, line)
    account.invoices.change(invoice)


def create_charge(account: Account, invoice: Json, line: Json) -> None:
    """Ask for a new boleto of one receivable; the outcome is told by webhook."""
    _charge(account, invoice, line)
    account.invoices.change(invoice)


def _charge(account: Account, invoice: Json, line: Json) -> None:
    refused = account.behaviour.draw("charge", line["id"]) < account.behaviour.charge_errors
    line["cobrato_errors"] = _CHARGE_ERROR if refused else None
    line["cobrato_charge_id"] = None if refused else account.sequences.next("cobrato_charges")
    line["billet_url"] = None if refused else f"{_DOCUMENTS}/boletos/{line['cobrato_charge_id']}.pdf"
    receivable = {"id": line["id"], "contract_id": invoice["contract_id"]}
    outcome = "charge_creation_error" if refused else "charge_creation_success"
    account.event(outcome, "Receivable", receivable, invoice_id=invoice["id"])


def _enter_in_finance(account: Account, invoice: Json, line: Json) -> None:
    if account.behaviour.draw("finance", line["id"]) < account.behaviour.finance_errors:
        line["myfinance_errors"] = _FINANCE_ERROR
        account.event("receivement_error", "Invoice", invoice)
    else:
        line["finance_receivable_id"] = account.sequences.next("finance_receivables")


def issue_nfse(account: Account, invoice: Json, on: date) -> None:
    """Ask the city for the invoice's NFS-e: number, verification code and day of issue, or what it complains about."""
    number, stamp = account.sequences.next("nfses"), account.clock.stamp(on)
    refused = account.behaviour.draw("refusal", invoice["id"]) < account.behaviour.nfse_errors
    invoice["automatic_nfe_issue_date"] = None
    document = Nfse(
        id=number,
        value=invoice["gross_value"],
        invoice_id=invoice["id"],
        customer_id=invoice["customer_id"],
        customer_type=invoice["customer_type"],
        organization_id=account.organization_of(invoice["contract_id"]),
        accrual_date=invoice["accrual_date"] or invoice["issue_date"],
        created_at=stamp,
        updated_at=stamp,
    )
    if refused:
        document.status, document.integration_errors = "Erro", _CITY_ERROR
        account.nfses.add(document.model_dump())
        return
    invoice["nfe_issued"] = True
    invoice["nfe_issue_date"] = parsing.brazilian(on)
    invoice["number"] = invoice["number"] or str(number)
    invoice["nfe_service"] = invoice["nfe_service"] or "1.05"
    invoice["nfe_verification"] = blake2b(f"nfse:{number}".encode(), digest_size=4).hexdigest().upper()
    document.nfse_number, document.verification_code = invoice["number"], invoice["nfe_verification"]
    document.generated_at = stamp
    document.pdf_url = invoice["nfse_url"] = f"{_DOCUMENTS}/{invoice['nfe_verification']}/nfse-{number}.pdf"
    document.xml_url = f"{_DOCUMENTS}/{invoice['nfe_verification']}/nfse-{number}.xml"
    account.nfses.add(document.model_dump())


def undo_emission(account: Account, invoice: Json) -> None:
    """Take back an issue of which nothing was received yet: not issued, it is planned for its planned day again."""
    _require(invoice, "to_receive", "desfeito")
    for line in invoice["receivables"]:
        if line["state"] == "received":
            raise ParameterRefusal("O faturamento não pode ser desfeito.", status=422)
        line |= {"state": "to_emit", "cobrato_charge_id": None, "cobrato_errors": None, "billet_url": None}
        line |= {"finance_receivable_id": None, "myfinance_errors": None}
    invoice |= {"state": "to_emit", "issue_date": invoice["estimated_issue_date"] or invoice["issue_date"]}
    account.event("undo_emission", "Invoice", invoice)
    account.invoices.change(invoice)


def receive(account: Account, invoice: Json, line: Json, on: date, value: Decimal | None = None) -> None:
    """Receive a receivable on a day, in full unless `value` says how much; the last one makes the invoice received."""
    _require(line, "to_receive", "recebido")
    full = line["payment_value"] or line["gross_value"]
    line["state"] = "received"
    line["received_value"] = full if value is None else parsing.amount(parsing.cents(value))
    line["received_at"] = parsing.brazilian(on)
    if all(each["state"] in ("received", "cancelled") for each in invoice["receivables"]):
        invoice["state"] = "received"
        _plan_nfse(account, invoice, on)
    account.event("confirm_receival", "Invoice", invoice)
    account.invoices.change(invoice)
    _clear_overdue(account, invoice["contract_id"])


def _clear_overdue(account: Account, contract_id: int) -> None:
    contract = account.contracts.peek(contract_id)
    if contract and contract["overdue"] and not account.invoices.unpaid_past(account.clock.today, contract_id):
        account.contracts.change(contract | {"overdue": False})


def _plan_nfse(account: Account, invoice: Json, on: date) -> None:
    days = invoice["days_until_automatic_nfe_emission"]
    if not invoice["issue_nfse"] or invoice["nfe_issued"] or not days:
        return
    due = add_business_days(on, min(days, 3650))
    if due <= account.clock.today:
        issue_nfse(account, invoice, due)
    else:
        invoice["automatic_nfe_issue_date"] = parsing.brazilian(due)


def undo_receival(account: Account, invoice: Json, line: Json) -> None:
    """Take back a receipt; value and day of it stay in the answer (as documented): the state alone counts."""
    _require(line, "received", "desfeito")
    line["state"] = "to_receive"
    invoice |= {"state": "to_receive", "automatic_nfe_issue_date": None}  # which followed from the receipt
    account.event("undo_receival", "Invoice", invoice)
    account.invoices.change(invoice)


def cancel(account: Account, invoice: Json, *, automatically: bool = False) -> None:
    """Cancel an invoice and what is not received of it."""
    if invoice["state"] == "cancelled":
        raise ParameterRefusal("O faturamento não pode ser cancelado.", status=422)
    invoice["state_before"] = invoice["state"]
    invoice["state"] = "cancelled"
    invoice["cancelled_automatically"] = automatically
    for line in invoice["receivables"]:
        line["state"] = "received" if line["state"] == "received" else "cancelled"
    account.event("cancel", "Invoice", invoice)
    account.invoices.change(invoice)
    _clear_overdue(account, invoice["contract_id"])


def undo_cancellation(account: Account, invoice: Json) -> None:
    """Bring a cancelled invoice back to where it was."""
    _require(invoice, "cancelled", "desfeito")
    before = invoice.pop("state_before", "to_emit")
    invoice["state"] = before
    invoice["cancelled_automatically"] = False
    for line in invoice["receivables"]:
        if line["state"] == "cancelled":
            line["state"] = "to_receive" if before == "received" else before
    account.event("undo_cancellation", "Invoice", invoice)
    account.invoices.change(invoice)


def receivement_error(account: Account, invoice: Json, line: Json, message: str | None = None) -> None:
    """Let the finance system refuse a receivable."""
    line["myfinance_errors"] = message or _FINANCE_ERROR
    account.event("receivement_error", "Invoice", invoice)
    account.invoices.change(invoice)


def _require(thing: Json, state: str, participle: str) -> None:
    if thing["state"] != state:
        raise ParameterRefusal(f"O faturamento não pode ser {participle}.", status=422)

"""What is billed: a contract's invoice rules, its invoices, and their receivables."""

from collections.abc import Collection
from datetime import date
from typing import Literal

from ciclo.billimatic.endpoints.sending import Endpoints, Fields
from ciclo.billimatic.models.invoices import Invoice, Receivable
from ciclo.billimatic.models.reading import Listing
from ciclo.billimatic.models.requests import InvoiceChange, NewInvoice, Payment
from ciclo.billimatic.models.rules import InvoiceRule, InvoiceRuleChange, NewInvoiceRule, RuleFromTemplate
from ciclo.billimatic.paging import Search


class Invoices(Endpoints):
    """Rules, invoices and receivables, from what recurs to what is paid."""

    def invoice_rules(self, contract_id: int) -> Listing[InvoiceRule]:
        """The rules of a contract."""
        return self._list(InvoiceRule, f"contracts/{contract_id}/invoice_rules")

    def create_invoice_rule(
        self, contract_id: int, rule: RuleFromTemplate | NewInvoiceRule | Fields, *, within: float | None = None
    ) -> InvoiceRule:
        """Create a rule, from a template or whole; the vendor then makes its invoices by itself, on the same day."""
        return self._sent(InvoiceRule, "POST", f"contracts/{contract_id}/invoice_rules", rule, within=within)

    def update_invoice_rule(
        self, contract_id: int, rule_id: int, changes: InvoiceRuleChange | Fields, *, within: float | None = None
    ) -> InvoiceRule:
        """Change the given fields of a rule."""
        path = f"contracts/{contract_id}/invoice_rules/{rule_id}"
        return self._sent(InvoiceRule, "PUT", path, changes, within=within)

    def delete_invoice_rule(self, contract_id: int, rule_id: int) -> None:
        """Remove a rule."""
        self._exchange.write("DELETE", f"contracts/{contract_id}/invoice_rules/{rule_id}")

    def create_invoice(self, contract_id: int, invoice: NewInvoice | Fields, *, within: float | None = None) -> Invoice:
        """Create an invoice; an `OutcomeUnknownError` means that it may be there: look for it, never send it again."""
        return self._sent(Invoice, "POST", f"contracts/{contract_id}/invoices", invoice, within=within)

    def invoice(self, contract_id: int, invoice_id: int) -> Invoice:
        """One invoice with its receivables and services."""
        return self._one(Invoice, f"contracts/{contract_id}/invoices/{invoice_id}")

    def update_invoice(
        self, contract_id: int, invoice_id: int, changes: InvoiceChange | Fields, *, within: float | None = None
    ) -> Invoice:
        """Change the given fields of an invoice."""
        return self._sent(Invoice, "PATCH", f"contracts/{contract_id}/invoices/{invoice_id}", changes, within=within)

    def delete_invoice(self, contract_id: int, invoice_id: int) -> None:
        """Remove an invoice."""
        self._exchange.write("DELETE", f"contracts/{contract_id}/invoices/{invoice_id}")

    def approve_invoice(self, contract_id: int, invoice_id: int, *, within: float | None = None) -> Invoice:
        """Approve a blocked invoice that is `to_emit`."""
        return self._sent(Invoice, "PATCH", f"contracts/{contract_id}/invoices/{invoice_id}/approve", within=within)

    def block_invoice(self, contract_id: int, invoice_id: int, *, within: float | None = None) -> Invoice:
        """Block an approved invoice that is `to_emit`."""
        return self._sent(Invoice, "PATCH", f"contracts/{contract_id}/invoices/{invoice_id}/block", within=within)

    def create_charges(self, contract_id: int, invoice_id: int, *, within: float | None = None) -> None:
        """Ask for the boletos of all receivables of an invoice; whether they were made comes by webhook."""
        self._exchange.write("PATCH", f"contracts/{contract_id}/invoices/{invoice_id}/create_charges", within=within)

    def late_invoices(self, contract_id: int) -> Listing[Invoice]:
        """Invoices of a contract with at least one receivable past due and unpaid."""
        return self._list(Invoice, f"contracts/{contract_id}/invoices/late")

    def search_invoices(  # noqa: PLR0913 - one a filter of the API
        self,
        *,
        issue_date_from: date | None = None,
        issue_date_to: date | None = None,
        due_date_from: date | None = None,
        due_date_to: date | None = None,
        state: str | None = None,
        customer_id: int | None = None,
        customer_type: Literal["Company", "Person"] | None = None,
        contract_id: int | None = None,
        of_contracts: Collection[int] | None = None,
        per_page: int = 100,
    ) -> Search[Invoice]:
        """Invoices of the organization, each once, read a page at a time; ranges are closed.

        Args:
            issue_date_from: First issue date; the planned date may be another one.
            issue_date_to: Last issue date.
            due_date_from: First due date of any of its receivables.
            due_date_to: Last due date of any of its receivables.
            state: `to_emit`, `to_receive`, `received`, `cancelled`, or `late`.
            customer_id: Needs `customer_type`: companies and people are numbered apart.
            customer_type: `Company` or `Person`.
            contract_id: Of one contract; takes the place of the search in a contract, which is documented no more.
            of_contracts: Only theirs come, though the API is asked for all: the others are not read.
            per_page: Rows a page, at most 100.

        Returns:
            An iterator, whose `odd` holds what could not be read.

        Raises:
            ValueError: A customer's id without its type.
            TransientApiError: While iterating: the pages do not fit together (rows went away while reading), so
                that rows could be missing. What was yielded before is right, but not all there is.
        """
        if customer_id is not None and customer_type is None:
            msg = "customer_id needs customer_type: companies and people are numbered apart"
            raise ValueError(msg)
        given = {
            "q[issue_date_gteq]": issue_date_from,
            "q[issue_date_lteq]": issue_date_to,
            "q[receivables_due_date_gteq]": due_date_from,
            "q[receivables_due_date_lteq]": due_date_to,
            "q[state_eq]": state,
            "q[customer_id_eq]": customer_id,
            "q[customer_type_eq]": customer_type,
            "q[contract_id_eq]": contract_id,
        }
        params = {key: _asked(value) for key, value in given.items() if value is not None}
        path = self._in_organization("invoices/search")
        return Search(self._exchange, Invoice, path, params, per_page, contract_id, of_contracts)

    def search_receivables(
        self,
        contract_id: int,
        due_date_from: date,
        due_date_to: date,
        state: str | None = None,
    ) -> Listing[Receivable]:
        """Receivables of a contract with a due date in the closed range, each with its invoice inside."""
        params = {"due_date_from": _asked(due_date_from), "due_date_to": _asked(due_date_to)}
        if state is not None:
            params["state"] = state
        return self._list(Receivable, f"contracts/{contract_id}/receivables/search", params)

    def receivable(self, contract_id: int, receivable_id: int) -> Receivable:
        """One receivable, without its invoice (documented since 2026-06)."""
        return self._one(Receivable, f"contracts/{contract_id}/receivables/{receivable_id}")

    def receive(
        self, contract_id: int, receivable_id: int, payment: Payment | Fields, *, within: float | None = None
    ) -> Receivable:
        """Record a payment."""
        path = f"contracts/{contract_id}/receivables/{receivable_id}/receive"
        return self._sent(Receivable, "PATCH", path, payment, within=within)

    def undo_receipt(self, contract_id: int, receivable_id: int, *, within: float | None = None) -> Receivable:
        """Take a payment back; the answer keeps its value and date, only the `state` says that it is unpaid."""
        path = f"contracts/{contract_id}/receivables/{receivable_id}/undo_receipt"
        return self._sent(Receivable, "PATCH", path, within=within)

    def create_charge(self, contract_id: int, receivable_id: int, *, within: float | None = None) -> None:
        """Ask for a new boleto for one receivable; whether it was made comes by webhook."""
        path = f"contracts/{contract_id}/receivables/{receivable_id}/create_charge"
        self._exchange.write("PATCH", path, within=within)


def _asked(value: date | int | str) -> str:
    """Write a search's parameter; a day as every search on record has it, though bodies take it otherwise, too."""
    return f"{value:%d-%m-%Y}" if isinstance(value, date) else str(value)

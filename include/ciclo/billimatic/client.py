"""The Billimatic API as methods, one per endpoint of REFERENCE.md.

The one rule: a method returns what the API promises or raises an `ApiError` whose class says what to do next. Reads are
retried here; a write is sent again only if it certainly did not reach the application (DESIGN 4.4), and with `within`
no attempt begins later than so many seconds from now, so that a claim's lease is never outlived.
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from datetime import date
from types import TracebackType
from typing import Any, Final

import httpx

from ciclo.billimatic.errors import AuthenticationError
from ciclo.billimatic.models import (
    Contract,
    EmailTemplate,
    Invoice,
    InvoiceChange,
    InvoiceRule,
    InvoiceTemplate,
    NewInvoice,
    Receivable,
    RuleFromTemplate,
    ServiceItem,
)
from ciclo.billimatic.transport.answers import read_one, read_several
from ciclo.billimatic.transport.exchange import Exchange, Observer
from ciclo.billimatic.transport.paging import pages_of_invoices
from ciclo.http.retries import RetryRules

Fields = Mapping[str, Any]
"""A request body as plain values: dates, decimals, strings, lists and mappings; floats are refused."""


class BillimaticClient(AbstractContextManager["BillimaticClient"]):
    """A client of one organization's account, safe to share between threads; use it as a context manager.

    Args:
        base_url: `https://faturamento.fintera.com.br`; plain `http` is accepted for loopback hosts only.
        token: The account's API token. It travels in the `Authorization` header and is shown nowhere.
        organization_id: The organization whose contracts are billed.
        timeout: Seconds for each of connecting, writing and waiting for an answer.
        requests_per_second: Budget of this client over all its threads; None or 0 means unlimited.
        max_connections: Size of the connection pool: as many requests run at once.
        transport: Another httpx transport, for special networks.
        retries: How often and how patiently to try again.
        allow_http: Accept plain `http` to another machine, inside a network that is trusted with the token.
        observer: Told of every request, from the thread that sent it: method, status or None, seconds.

    Raises:
        ValueError: A parameter cannot work; the message names it and never holds the token.
    """

    def __init__(  # noqa: PLR0913 - each is a documented setting with a default
        self,
        *,
        base_url: str,
        token: str,
        organization_id: int,
        timeout: float = 30.0,
        requests_per_second: float | None = 10.0,
        max_connections: int = 20,
        transport: httpx.BaseTransport | None = None,
        retries: RetryRules | None = None,
        allow_http: bool = False,
        observer: Observer | None = None,
    ) -> None:
        self.organization_id: Final = organization_id
        self._exchange = Exchange(
            base_url=base_url,
            token=token,
            timeout=timeout,
            requests_per_second=requests_per_second,
            max_connections=max_connections,
            transport=transport,
            retries=retries or RetryRules(),
            allow_http=allow_http,
            observer=observer,
        )

    def __repr__(self) -> str:
        return f"<BillimaticClient {self._exchange.base_url} organization {self.organization_id}>"

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the pooled connections."""
        self._exchange.close()

    @property
    def longest_request(self) -> float:
        """Seconds after which a single request has certainly been given up on this side; a grace period exceeds it."""
        return self._exchange.longest_request

    @property
    def longest_call(self) -> float:
        """Seconds one call takes at most with all its attempts and pauses; a claim's lease exceeds it."""
        return self._exchange.longest_call

    # -- contracts and templates -------------------------------------------------------------------------------------

    def authenticated(self) -> bool:
        """Whether the API accepts the token."""
        try:
            self._exchange.read("service_items")
        except AuthenticationError:
            return False
        return True

    def contracts(self) -> list[Contract]:
        """Every contract of the organization."""
        return read_several(Contract, self._exchange.read(self._in_organization("contracts")))

    def contract(self, contract_id: int) -> Contract:
        """One contract of the organization."""
        return read_one(Contract, self._exchange.read(self._in_organization(f"contracts/{contract_id}")))

    def search_contracts(self, *, name: str | None = None, customer_id: int | None = None) -> list[Contract]:
        """Contracts of the account by (part of) their name, or by customer."""
        given = {"name": name, "customer_id": customer_id}
        params = {key: str(value) for key, value in given.items() if value is not None}
        return read_several(Contract, self._exchange.read("contracts/search", params))

    def invoice_templates(self) -> list[InvoiceTemplate]:
        """The organization's templates, from which rules are made."""
        return read_several(InvoiceTemplate, self._exchange.read(self._in_organization("invoice_templates")))

    def invoice_template(self, template_id: int) -> InvoiceTemplate:
        """One template of the organization."""
        path = self._in_organization(f"invoice_templates/{template_id}")
        return read_one(InvoiceTemplate, self._exchange.read(path))

    def email_templates(self) -> list[EmailTemplate]:
        """The organization's e-mail templates."""
        return read_several(EmailTemplate, self._exchange.read(self._in_organization("email_templates")))

    def service_items(self) -> list[ServiceItem]:
        """The account's catalogue of services."""
        return read_several(ServiceItem, self._exchange.read("service_items"))

    # -- invoice rules -----------------------------------------------------------------------------------------------

    def invoice_rules(self, contract_id: int) -> list[InvoiceRule]:
        """The rules of a contract."""
        return read_several(InvoiceRule, self._exchange.read(f"contracts/{contract_id}/invoice_rules"))

    def create_invoice_rule(
        self, contract_id: int, rule: RuleFromTemplate | Fields, *, within: float | None = None
    ) -> InvoiceRule:
        """Create a rule from a template, or whole if `rule` is a mapping that says everything."""
        path = f"contracts/{contract_id}/invoice_rules"
        return read_one(InvoiceRule, self._exchange.write("POST", path, {"invoice_rule": _body(rule)}, within=within))

    def update_invoice_rule(
        self, contract_id: int, rule_id: int, changes: Fields, *, within: float | None = None
    ) -> InvoiceRule:
        """Change the given fields of a rule."""
        path = f"contracts/{contract_id}/invoice_rules/{rule_id}"
        return read_one(InvoiceRule, self._exchange.write("PUT", path, {"invoice_rule": _body(changes)}, within=within))

    def delete_invoice_rule(self, contract_id: int, rule_id: int) -> None:
        """Remove a rule."""
        self._exchange.write("DELETE", f"contracts/{contract_id}/invoice_rules/{rule_id}")

    # -- invoices ----------------------------------------------------------------------------------------------------

    def create_invoice(self, contract_id: int, invoice: NewInvoice | Fields, *, within: float | None = None) -> Invoice:
        """Create an invoice; an `OutcomeUnknownError` means that it may be there: look for it, never send it again."""
        path = f"contracts/{contract_id}/invoices"
        return read_one(Invoice, self._exchange.write("POST", path, {"invoice": _body(invoice)}, within=within))

    def invoice(self, contract_id: int, invoice_id: int) -> Invoice:
        """One invoice with its receivables and services."""
        return read_one(Invoice, self._exchange.read(f"contracts/{contract_id}/invoices/{invoice_id}"))

    def update_invoice(
        self, contract_id: int, invoice_id: int, changes: InvoiceChange | Fields, *, within: float | None = None
    ) -> Invoice:
        """Change the given fields of an invoice."""
        path = f"contracts/{contract_id}/invoices/{invoice_id}"
        return read_one(Invoice, self._exchange.write("PATCH", path, {"invoice": _body(changes)}, within=within))

    def delete_invoice(self, contract_id: int, invoice_id: int) -> None:
        """Remove an invoice."""
        self._exchange.write("DELETE", f"contracts/{contract_id}/invoices/{invoice_id}")

    def approve_invoice(self, contract_id: int, invoice_id: int) -> Invoice:
        """Approve a blocked invoice that is `to_emit`."""
        path = f"contracts/{contract_id}/invoices/{invoice_id}/approve"
        return read_one(Invoice, self._exchange.write("PATCH", path))

    def block_invoice(self, contract_id: int, invoice_id: int) -> Invoice:
        """Block an approved invoice that is `to_emit`."""
        path = f"contracts/{contract_id}/invoices/{invoice_id}/block"
        return read_one(Invoice, self._exchange.write("PATCH", path))

    # -- searches ----------------------------------------------------------------------------------------------------

    def contract_invoices(self, contract_id: int, issue_date_from: date, issue_date_to: date) -> list[Invoice]:
        """Invoices of a contract with an issue date in the closed range; not paginated."""
        params = {"issue_date_from": f"{issue_date_from:%d-%m-%Y}", "issue_date_to": f"{issue_date_to:%d-%m-%Y}"}
        return read_several(Invoice, self._exchange.read(f"contracts/{contract_id}/invoices/search", params))

    def late_invoices(self, contract_id: int) -> list[Invoice]:
        """Invoices of a contract with at least one receivable past due and unpaid."""
        return read_several(Invoice, self._exchange.read(f"contracts/{contract_id}/invoices/late"))

    def search_receivables(
        self, contract_id: int, due_date_from: date, due_date_to: date, state: str | None = None
    ) -> list[Receivable]:
        """Receivables of a contract with a due date in the closed range."""
        params = {"due_date_from": f"{due_date_from:%d-%m-%Y}", "due_date_to": f"{due_date_to:%d-%m-%Y}"}
        if state is not None:
            params["state"] = state
        return read_several(Receivable, self._exchange.read(f"contracts/{contract_id}/receivables/search", params))

    def search_invoices(
        self,
        *,
        issue_date_from: date | None = None,
        issue_date_to: date | None = None,
        due_date_from: date | None = None,
        due_date_to: date | None = None,
        state: str | None = None,
        per_page: int = 100,
    ) -> Iterator[Invoice]:
        """Invoices of the whole organization, each once, read a page at a time; ranges are closed.

        Raises:
            TransientApiError: The pages do not fit together (one is cut short, rows went away while reading), so
                that rows could be missing. What was yielded before is right, but not all there is.
        """
        given = {
            "q[issue_date_gteq]": issue_date_from,
            "q[issue_date_lteq]": issue_date_to,
            "q[receivables_due_date_gteq]": due_date_from,
            "q[receivables_due_date_lteq]": due_date_to,
            "q[state_eq]": state,
        }
        params = {key: str(value) for key, value in given.items() if value is not None}  # dates as yyyy-mm-dd
        return pages_of_invoices(self._exchange, self._in_organization("invoices/search"), params, per_page)

    def _in_organization(self, path: str) -> str:
        return f"organizations/{self.organization_id}/{path}"


def _body(fields: NewInvoice | InvoiceChange | RuleFromTemplate | Fields) -> Fields:
    return fields if isinstance(fields, Mapping) else fields.body()

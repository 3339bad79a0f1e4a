"""The Billimatic API as methods, one per endpoint of its reference.

A method returns what the API promises or raises an `ApiError` whose class says what to do next. Reads are retried here;
a write is sent again only if it certainly did not reach the application, and with `within` no attempt
begins later than so many seconds from now, so that a claim's lease is never outlived.

A list is a `Listing` and a paginated search a `Search`: both give the records that could be read and keep those that
could not in `odd`, so that one odd record costs nobody else anything and is not lost.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from datetime import date
from types import TracebackType
from typing import Any, Final, Literal

import httpx

from ciclo.billimatic.errors import AuthenticationError, NotFoundError
from ciclo.billimatic.models.catalogues import (
    ChargeTemplate,
    EmailTemplate,
    FinancialAccount,
    Nfse,
    NfseTemplate,
    ServiceItem,
)
from ciclo.billimatic.models.invoices import Invoice, Receivable
from ciclo.billimatic.models.parties import (
    Company,
    CompanyChange,
    Contract,
    ContractChange,
    NewCompany,
    NewContract,
    NewOrganization,
    NewPerson,
    NewServiceItem,
    Organization,
    OrganizationChange,
    Person,
    PersonChange,
    ServiceItemChange,
    Subscription,
)
from ciclo.billimatic.models.reading import Listing, Model
from ciclo.billimatic.models.requests import FilterValue, InvoiceChange, NewInvoice, Payment, Request, nfse_params
from ciclo.billimatic.models.rules import (
    InvoiceRule,
    InvoiceRuleChange,
    InvoiceTemplate,
    NewInvoiceRule,
    RuleFromTemplate,
)
from ciclo.billimatic.paging import Search
from ciclo.billimatic.transport import Exchange, Observer, Query, read_one, read_several
from ciclo.http.retries import Budget, CallBudget, RetryRules

Fields = Mapping[str, Any]
"""A request body as plain values, sent as it stands: dates, decimals, strings, lists, mappings; floats are refused."""


class BillimaticClient(AbstractContextManager["BillimaticClient"]):
    """A client of one organization's account, safe to share between threads; use it as a context manager.

    Args:
        base_url: `https://faturamento.fintera.com.br`; plain `http` is accepted for loopback hosts only.
        token: The account's API token. It travels in the `Authorization` header and is shown nowhere.
        organization_id: The organization whose contracts are billed.
        timeout: Seconds for each of connecting, writing and waiting for an answer.
        requests_per_second: Budget of this client over all its threads; None or 0 means unlimited.
        max_connections: Size of the connection pool: as many requests run at once. By default as many as the budget
            needs at a server that takes a second and a half, and 20 at least.
        transport: Another httpx transport, for special networks.
        retries: How often and how patiently to try again.
        allow_http: Accept plain `http` to another machine, inside a network that is trusted with the token.
        observer: Told of every request, from the thread that sent it: method, path, status or None, seconds.
        read_only: Send nothing but GET: whatever would change the account is a `ReadOnlyError` before it is sent.
        ca_file: File of certificates of a private authority, trusted beside the usual ones.
        share_budget: Given the client's own budget and its rate, returns one that other processes share.

    Raises:
        ValueError: A parameter cannot work; the message names it and never holds the token.
        NetworkSettingError: A variable of the environment for proxies or certificates cannot work; it is named only.
    """

    def __init__(  # noqa: PLR0913 - each is a documented setting with a default
        self,
        *,
        base_url: str,
        token: str,
        organization_id: int,
        timeout: float = 30.0,
        requests_per_second: float | None = 10.0,
        max_connections: int | None = None,
        transport: httpx.BaseTransport | None = None,
        retries: RetryRules | None = None,
        allow_http: bool = False,
        observer: Observer | None = None,
        read_only: bool = False,
        ca_file: str | None = None,
        share_budget: Callable[[CallBudget, float], Budget] | None = None,
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
            read_only=read_only,
            ca_file=ca_file,
            share_budget=share_budget,
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
    def at_once(self) -> int:
        """How many requests may be under way at once."""
        return self._exchange.max_connections

    @property
    def longest_request(self) -> float:
        """Seconds after which a single request has certainly been given up on this side; a grace period exceeds it."""
        return self._exchange.longest_request

    @property
    def longest_call(self) -> float:
        """Seconds one call takes at most with all its attempts and pauses; a claim's lease exceeds it."""
        return self._exchange.longest_call

    # -- the account ------------------------------------------------------------------------------------------------

    def health_check(self) -> bool:
        """Whether the API says that it is well, in words or as JSON."""
        answer = self._exchange.read_text("/health_check").body
        word = answer.get("status") if isinstance(answer, Mapping) else answer
        return isinstance(word, str) and word.strip().casefold() == "ok"

    def authenticated(self) -> bool:
        """Whether the API accepts the token."""
        try:
            self._exchange.read("service_items")
        except AuthenticationError:
            return False
        return True

    def organizations(self) -> Listing[Organization]:
        """The account's organizations (documented since 2026-06)."""
        return self._list(Organization, "organizations")

    def search_organization(self, cnpj: str) -> Organization | None:
        """The organization with this CNPJ, with or without punctuation; None if there is none."""
        try:
            return self._one(Organization, "organizations/search", {"cnpj": cnpj})
        except NotFoundError:
            return None

    def create_organization(self, organization: NewOrganization | Fields) -> Organization:
        """Add an organization to the account."""
        return self._sent(Organization, "POST", "organizations", organization)

    def update_organization(self, organization_id: int, changes: OrganizationChange | Fields) -> Organization:
        """Change the given fields of an organization."""
        return self._sent(Organization, "PATCH", f"organizations/{organization_id}", changes)

    def delete_organization(self, organization_id: int) -> None:
        """Remove an organization; a `RejectedError` while it has contracts."""
        self._exchange.write("DELETE", f"organizations/{organization_id}")

    # -- customers ----------------------------------------------------------------------------------------------------

    def companies(self) -> Listing[Company]:
        """The account's customers that are legal persons."""
        return self._list(Company, "companies")

    def company(self, company_id: int) -> Company:
        """One customer that is a legal person."""
        return self._one(Company, f"companies/{company_id}")

    def search_companies(self, cnpj: str) -> Listing[Company]:
        """The customers with this CNPJ, with or without punctuation."""
        return self._list(Company, "companies/search", {"cnpj": cnpj})

    def create_company(self, company: NewCompany | Fields) -> Company:
        """Add a customer that is a legal person."""
        return self._sent(Company, "POST", "companies", company)

    def update_company(self, company_id: int, changes: CompanyChange | Fields) -> Company:
        """Change the given fields of a customer."""
        return self._sent(Company, "PATCH", f"companies/{company_id}", changes)

    def delete_company(self, company_id: int) -> None:
        """Remove a customer; a `RejectedError` while it has contracts."""
        self._exchange.write("DELETE", f"companies/{company_id}")

    def people(self) -> Listing[Person]:
        """The account's customers that are natural persons."""
        return self._list(Person, "people")

    def person(self, person_id: int) -> Person:
        """One customer that is a natural person."""
        return self._one(Person, f"people/{person_id}")

    def search_people(self, cpf: str) -> Listing[Person]:
        """The customers with this CPF."""
        return self._list(Person, "people/search", {"cpf": cpf})

    def create_person(self, person: NewPerson | Fields) -> Person:
        """Add a customer that is a natural person."""
        return self._sent(Person, "POST", "people", person)

    def update_person(self, person_id: int, changes: PersonChange | Fields) -> Person:
        """Change the given fields of a customer."""
        return self._sent(Person, "PATCH", f"people/{person_id}", changes)

    def delete_person(self, person_id: int) -> None:
        """Remove a customer; a `RejectedError` while there are contracts."""
        self._exchange.write("DELETE", f"people/{person_id}")

    # -- contracts ----------------------------------------------------------------------------------------------------

    def contracts(self) -> Listing[Contract]:
        """The organization's active contracts."""
        return self._list(Contract, self._in_organization("contracts"))

    def contract(self, contract_id: int) -> Contract:
        """One contract of the organization, active or not."""
        return self._one(Contract, self._in_organization(f"contracts/{contract_id}"))

    def search_contracts(self, *, name: str | None = None, customer_id: int | None = None) -> Listing[Contract]:
        """Contracts of the account by (part of) their name, or by customer; a `BadRequestError` without either."""
        given = {"name": name, "customer_id": customer_id}
        params = {key: str(value) for key, value in given.items() if value is not None}
        return self._list(Contract, "contracts/search", params)

    def create_contract(self, contract: NewContract | Fields) -> Contract:
        """Create a contract."""
        return self._sent(Contract, "POST", "contracts", contract)

    def update_contract(self, contract_id: int, changes: ContractChange | Fields) -> Contract:
        """Change the given fields of a contract."""
        return self._sent(Contract, "PATCH", f"contracts/{contract_id}", changes)

    def delete_contract(self, contract_id: int) -> None:
        """Remove a contract."""
        self._exchange.write("DELETE", f"contracts/{contract_id}")

    def change_plan(self, subscription_token: str, new_plan_id: int) -> Subscription:
        """Put a subscription on another plan; the token is the contract's, which the webhook names as well."""
        path = f"subscriptions/{subscription_token}/change_plan"
        return self._sent(Subscription, "PATCH", path, {"new_plan_id": new_plan_id})

    # -- catalogues ---------------------------------------------------------------------------------------------------

    def service_items(self) -> Listing[ServiceItem]:
        """The account's catalogue of services."""
        return self._list(ServiceItem, "service_items")

    def search_service_item(self, name: str) -> ServiceItem | None:
        """The service with this name; None if there is none."""
        try:
            return self._one(ServiceItem, "service_items/search", {"name": name})
        except NotFoundError:
            return None

    def create_service_item(self, item: NewServiceItem | Fields) -> ServiceItem:
        """Add a service to the catalogue."""
        return self._sent(ServiceItem, "POST", "service_items", item)

    def update_service_item(self, item_id: int, changes: ServiceItemChange | Fields) -> ServiceItem:
        """Change the given fields of a service."""
        return self._sent(ServiceItem, "PATCH", f"service_items/{item_id}", changes)

    def delete_service_item(self, item_id: int) -> None:
        """Remove a service; a `RejectedError` while it is used."""
        self._exchange.write("DELETE", f"service_items/{item_id}")

    def invoice_templates(self) -> Listing[InvoiceTemplate]:
        """The organization's templates, from which rules and invoices are made."""
        return self._list(InvoiceTemplate, self._in_organization("invoice_templates"))

    def invoice_template(self, template_id: int) -> InvoiceTemplate:
        """One template of the organization."""
        return self._one(InvoiceTemplate, self._in_organization(f"invoice_templates/{template_id}"))

    def search_invoice_templates(self, usable_for: Literal["invoice", "invoice_rule"]) -> Listing[InvoiceTemplate]:
        """The templates for single invoices (periodicity "once"), or those for rules (all others)."""
        path = self._in_organization("invoice_templates/search")
        return self._list(InvoiceTemplate, path, {"type": usable_for})

    def email_templates(self) -> Listing[EmailTemplate]:
        """The organization's e-mail templates."""
        return self._list(EmailTemplate, self._in_organization("email_templates"))

    def charge_templates(self) -> Listing[ChargeTemplate]:
        """The organization's templates of interest and fines."""
        return self._list(ChargeTemplate, self._in_organization("charge_templates"))

    def charge_template(self, template_id: int) -> ChargeTemplate:
        """One template of interest and fines."""
        return self._one(ChargeTemplate, self._in_organization(f"charge_templates/{template_id}"))

    def financial_accounts(self) -> Listing[FinancialAccount]:
        """The organization's receiving accounts."""
        return self._list(FinancialAccount, self._in_organization("financial_accounts"))

    def financial_account(self, account_id: int) -> FinancialAccount:
        """One receiving account."""
        return self._one(FinancialAccount, self._in_organization(f"financial_accounts/{account_id}"))

    def nfse_templates(self) -> Listing[NfseTemplate]:
        """The organization's templates of tax documents."""
        return self._list(NfseTemplate, self._in_organization("nfse_templates"))

    def search_nfses(self, filters: Mapping[str, FilterValue] | None = None, *, per_page: int = 100) -> Search[Nfse]:
        """Issued tax documents of the organization, each once, read a page at a time.

        Args:
            filters: By field and operator, `{"status_eq": 1, "generated_at_gteq": date(2024, 8, 5)}`; the operators
                are `_eq`, `_not_eq`, `_gteq`, `_lteq`, and with several values `_in`, `_not_in`. `status` is asked as a
                number: 1 issued, 2 cancelled, 4 being cancelled, 6 cancelling failed.
            per_page: Rows a page, at most 100.

        Raises:
            ValueError: A filter has no operator, or not as many values as its operator takes.
        """
        params = nfse_params(filters or {})
        return Search(self._exchange, Nfse, self._in_organization("nfses/search"), params, per_page)

    # -- invoice rules ------------------------------------------------------------------------------------------------

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

    # -- invoices -----------------------------------------------------------------------------------------------------

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
        params = {key: str(value) for key, value in given.items() if value is not None}  # dates as yyyy-mm-dd
        path = self._in_organization("invoices/search")
        return Search(self._exchange, Invoice, path, params, per_page, contract_id)

    # -- receivables --------------------------------------------------------------------------------------------------

    def search_receivables(
        self,
        contract_id: int,
        due_date_from: date,
        due_date_to: date,
        state: str | None = None,
    ) -> Listing[Receivable]:
        """Receivables of a contract with a due date in the closed range, each with its invoice inside."""
        params = {"due_date_from": f"{due_date_from:%d-%m-%Y}", "due_date_to": f"{due_date_to:%d-%m-%Y}"}
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

    # -- how ----------------------------------------------------------------------------------------------------------

    def _in_organization(self, path: str) -> str:
        return f"organizations/{self.organization_id}/{path}"

    def _one(self, model: type[Model], path: str, params: Query | None = None) -> Model:
        return read_one(model, self._exchange.read(path, params))

    def _list(self, model: type[Model], path: str, params: Query | None = None) -> Listing[Model]:
        return read_several(model, self._exchange.read(path, params))

    def _sent(
        self,
        model: type[Model],
        method: str,
        path: str,
        fields: Request | Fields | None = None,
        *,
        within: float | None = None,
    ) -> Model:
        """Send fields under the resource's name, and read the resource that is answered."""
        given = fields.body() if isinstance(fields, Request) else fields
        body = None if given is None else {model.resource: given}
        return read_one(model, self._exchange.write(method, path, body, within=within))

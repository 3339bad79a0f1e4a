"""What an account has to choose from: services, templates, receiving accounts; and the tax documents it has issued."""

from collections.abc import Mapping
from typing import Literal

from ciclo.billimatic.endpoints.sending import Endpoints, Fields
from ciclo.billimatic.errors import NotFoundError
from ciclo.billimatic.models.catalogues import (
    ChargeTemplate,
    EmailTemplate,
    FinancialAccount,
    Nfse,
    NfseTemplate,
    ServiceItem,
)
from ciclo.billimatic.models.parties import NewServiceItem, ServiceItemChange
from ciclo.billimatic.models.reading import Listing
from ciclo.billimatic.models.requests import FilterValue, nfse_params
from ciclo.billimatic.models.rules import InvoiceTemplate
from ciclo.billimatic.paging import Search


class Catalogues(Endpoints):
    """The account's catalogues, templates and tax documents."""

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

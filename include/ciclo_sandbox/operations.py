"""Every operation of the vendor's API: method, path, what handles it, what it takes and answers.

The rule: this table is the only list; the router and OpenAPI are both made from it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from pydantic import BaseModel

from ciclo_sandbox import catalogue, contracts, forms, invoices, models, rules, search
from ciclo_sandbox.account import Account
from ciclo_sandbox.answers import Answer, Request

Handler = Callable[[Account, Request], Answer]


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation. `root` names the object or list in the answer, `failures` the statuses besides 401."""

    methods: tuple[str, ...]
    path: str
    handler: Handler
    status: int = 200
    root: str = ""
    answer: type[BaseModel] | None = None
    many: bool = False
    form: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    failures: tuple[int, ...] = ()
    paged: bool = False
    unwrapped: bool = False

    @property
    def writes(self) -> bool:
        """Tell whether the operation may change anything."""
        return self.methods != ("GET",)


_ORGANIZATION: Final = "organizations/{organization_id}"
_RULES: Final = "contracts/{contract_id}/invoice_rules"
_INVOICES: Final = "contracts/{contract_id}/invoices"
_CHANGE: Final = ("PUT", "PATCH")

OPERATIONS: Final = (
    Operation(("GET",), "companies/search", catalogue.companies, 200, "companies", models.Organization, many=True,
              query=forms.CnpjSearch, failures=(400,)),
    Operation(("GET",), f"{_ORGANIZATION}/contracts", contracts.index, 200, "contracts", models.ListedContract,
              many=True, failures=(404,)),
    Operation(("GET",), f"{_ORGANIZATION}/contracts/{{id}}", contracts.show, 200, "contract", models.Contract,
              failures=(404,)),
    Operation(("GET",), "contracts/search", contracts.search, 200, "contracts", models.Contract, many=True,
              query=forms.ContractSearch, failures=(400,)),
    Operation(("POST",), "contracts", contracts.create, 201, "contract", models.Contract,
              form=forms.ContractForm, failures=(400, 422), unwrapped=True),
    Operation(_CHANGE, "contracts/{id}", contracts.update, 200, "contract", models.Contract,
              form=forms.ContractForm, failures=(400, 404, 422), unwrapped=True),
    Operation(("DELETE",), "contracts/{id}", contracts.destroy, 204, failures=(404,)),
    Operation(("GET",), f"{_ORGANIZATION}/invoice_templates", catalogue.invoice_templates, 200, "invoice_templates",
              models.InvoiceTemplate, many=True, failures=(404,)),
    Operation(("GET",), f"{_ORGANIZATION}/invoice_templates/{{id}}", catalogue.invoice_template, 200,
              "invoice_template", models.InvoiceTemplate, failures=(404,)),
    Operation(("GET",), f"{_ORGANIZATION}/email_templates", catalogue.email_templates, 200, "email_templates",
              models.EmailTemplate, many=True, failures=(404,)),
    Operation(("GET",), f"{_ORGANIZATION}/invoices/search", search.in_organization, 200, "invoices", models.Invoice,
              many=True, query=forms.OrganizationSearch, failures=(400, 404), paged=True),
    Operation(("GET",), _RULES, rules.index, 200, "invoice_rules", models.InvoiceRule, many=True, failures=(404,)),
    Operation(("POST",), _RULES, rules.create, 201, "invoice_rule", models.InvoiceRule,
              form=forms.InvoiceRuleForm, failures=(400, 404, 422)),
    Operation(_CHANGE, f"{_RULES}/{{id}}", rules.update, 200, "invoice_rule", models.InvoiceRule,
              form=forms.InvoiceRuleForm, failures=(400, 404, 422)),
    Operation(("DELETE",), f"{_RULES}/{{id}}", rules.destroy, 204, failures=(404,)),
    Operation(("GET",), f"{_INVOICES}/search", search.in_contract, 200, "invoices", models.Invoice, many=True,
              query=forms.ContractInvoiceSearch, failures=(400, 404)),
    Operation(("GET",), f"{_INVOICES}/late", search.late, 200, "invoices", models.Invoice, many=True, failures=(404,)),
    Operation(("POST",), _INVOICES, invoices.create, 201, "invoice", models.Invoice,
              form=forms.InvoiceForm, failures=(400, 404, 422)),
    Operation(("GET",), f"{_INVOICES}/{{id}}", invoices.show, 200, "invoice", models.Invoice, failures=(404,)),
    Operation(_CHANGE, f"{_INVOICES}/{{id}}", invoices.update, 200, "invoice", models.Invoice,
              form=forms.InvoiceForm, failures=(400, 404, 422)),
    Operation(("DELETE",), f"{_INVOICES}/{{id}}", invoices.destroy, 204, failures=(404,)),
    Operation(("PATCH",), f"{_INVOICES}/{{id}}/approve", invoices.approve, 200, "invoice", models.Invoice,
              failures=(400, 404, 422)),
    Operation(("PATCH",), f"{_INVOICES}/{{id}}/block", invoices.block, 200, "invoice", models.Invoice,
              failures=(400, 404, 422)),
    Operation(("GET",), "contracts/{contract_id}/receivables/search", search.receivables, 200, "receivables",
              models.Receivable, many=True, query=forms.ReceivableSearch, failures=(400, 404)),
    Operation(("GET",), "service_items", catalogue.service_items, 200, "service_items", models.ServiceItem, many=True),
    Operation(("GET",), "service_items/search", catalogue.search_service_item, 200, "service_item",
              models.ServiceItem, query=forms.ServiceItemSearch, failures=(400, 404)),
    Operation(("POST",), "service_items", catalogue.create_service_item, 201, "service_item", models.ServiceItem,
              form=forms.ServiceItemForm, failures=(400, 422), unwrapped=True),
    Operation(_CHANGE, "service_items/{id}", catalogue.update_service_item, 200, "service_item", models.ServiceItem,
              form=forms.ServiceItemForm, failures=(400, 404, 422), unwrapped=True),
    Operation(("DELETE",), "service_items/{id}", catalogue.destroy_service_item, 204, failures=(404, 422)),
)  # fmt: skip

"""Contracts and the small catalogues around them, as the API answers them.

The one rule: only ids are required; names and texts are for people.
Sources: recordings/contracts, recordings/service_items, recordings/email_templates.
"""

from typing import ClassVar

from ciclo.billimatic.models.reading import (
    Answer,
    ContractState,
    OptionalDay,
    OptionalMoney,
    OptionalNumber,
    OptionalText,
    OptionalTimestamp,
)


class Contract(Answer):
    """An agreement between a supplier and a customer; the organization is one of the two, by `kind`."""

    resource: ClassVar[str] = "contract"

    id: int
    name: OptionalText = None
    title: OptionalText = None
    description: OptionalText = None
    kind: OptionalText = None
    state: ContractState
    status: OptionalText = None
    supplier_id: OptionalNumber = None
    supplier_type: OptionalText = None
    customer_id: OptionalNumber = None
    customer_type: OptionalText = None
    comments: OptionalText = None
    init_date: OptionalDay = None
    end_date: OptionalDay = None
    valid_until: OptionalDay = None
    overdue: bool | None = None
    registration_method: OptionalText = None
    cancel_date: OptionalDay = None
    cancel_reason: OptionalText = None
    created_at: OptionalTimestamp = None

    @property
    def is_active(self) -> bool:
        """Whether the contract may be billed."""
        return self.state == "active"


class ServiceItem(Answer):
    """A service of the account's catalogue, with its list price in BRL."""

    resource: ClassVar[str] = "service_item"

    id: int
    account_id: OptionalNumber = None
    name: OptionalText = None
    description: OptionalText = None
    value: OptionalMoney = None
    unit: OptionalText = None


class EmailTemplate(Answer):
    """An e-mail the vendor sends with an automatic invoice."""

    resource: ClassVar[str] = "email_template"

    id: int
    company_id: OptionalNumber = None
    name: OptionalText = None
    subject: OptionalText = None
    body: OptionalText = None
    description: OptionalText = None
    default_template: bool | None = None
    created_at: OptionalTimestamp = None

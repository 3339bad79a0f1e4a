"""Invoices with their receivables, the rules by which they recur, and templates of both."""

from typing import Any, Final

from pydantic import Field, model_validator

from ciclo_sandbox.parsing import (
    BrazilianDay,
    Complaint,
    Foreign,
    Identifier,
    IsoDay,
    Many,
    Money,
    Resource,
    State,
    said,
)


class Service(Resource):
    """A line of an invoice, a rule or a template."""

    id: Identifier = said("Id of the line.")
    name: str | None = said("Name of the service item.")
    description: str | None = said("Description; the service item's unless given.")
    unit_value: Money = said("Value of a unit.")
    units: Money = said("Quantity.")
    value: Money = said("units x unit_value, rounded half up to cents.")


_FORMER: Final = {"finance_errors": "myfinance_errors", "boleto_url": "billet_url"}


class Receivable(Resource):
    """One due date's share of an invoice."""

    id: Identifier = said("Id of the receivable.")
    invoice_id: int | None = said("Its invoice.")
    due_date: BrazilianDay = said("Due date.")
    value: Money = said("Percentage of the invoice's gross value.", default="100.0")
    gross_value: Money = said("That share in money.")
    payment_value: Money = said("That share of the invoice's payment value.")
    received_value: Money = said("Money received.")
    received_at: BrazilianDay = said("Day on which it was received.")
    created_at: str | None = said("Moment of creation.")
    state: State = said("State of the receivable.", default="to_emit")
    payment_gateway_status: str | None = said("What the card operator said.")
    cobrato_charge_id: Foreign = said("Id of the charge.")
    cobrato_errors: Complaint = said("Why the charge could not be created.")
    finance_receivable_id: Foreign = said("Id in the finance system.")
    myfinance_sale_id: Foreign = said("Id of the sale in the finance system.")
    finance_entity_id: Foreign = said("Id of the entity in the finance system.")
    myfinance_errors: Complaint = said("Why the finance system refused it.")
    myfinance_receivable_account_id: Foreign = said("Account in the finance system.")
    billet_url: str | None = said("Where the boleto is; the searches call it boleto_url.")

    @model_validator(mode="before")
    @classmethod
    def _read_other_names(cls, given: Any) -> Any:
        # A state may have what a search answered, or what was answered before 2018.
        others = {new: given[old] for old, new in _FORMER.items() if given.get(old)} if isinstance(given, dict) else {}
        return {**given, **{new: value for new, value in others.items() if not given.get(new)}} if others else given


class Attachment(Resource):
    """A file of an invoice."""

    id: Identifier = said("Id of the attachment.")
    filename: str | None = said("Original name of the file.")
    url: str | None = said("Where the file is served.")


class PaymentInformation(Resource):
    """How a rule's invoices, or an invoice, are paid."""

    id: Identifier = said("Id of the payment information.")
    payment_method: str | None = said("billet, payment_gateway or transfer.", default="billet")
    cobrato_card_id: str | None = said("Card; -- stands for none.", default="--")
    card_expiration_month: str | None = said("Card's month of expiry; -- stands for none.", default="--")
    card_expiration_year: str | None = said("Card's year of expiry; -- stands for none.", default="--")
    installments: int | None = said("Installments on the card; null for other methods.")
    financial_charge_template_id: int | None = said("Charge template.")
    financial_account_id: int | None = said("Account that receives.")
    charging_account_id: str | None = said("Charging account (UUID).")
    created_at: str | None = said("Moment of creation.")


class Billable(Resource):
    """What an invoice and a rule have in common."""

    id: Identifier = said("Id.")
    contract_id: int = said("Its contract.", default=...)
    issue_date: BrazilianDay = said("Issue date; null for a rule.")
    estimated_issue_date: BrazilianDay = said("Expected issue date; the issue date unless given.")
    gross_value: Money = said("Gross value: the sum of the services, or as given without services.")
    payment_value: Money = said("What the customer is to pay.")
    description: str | None = said("Description.", default="")
    state: State = said("State.", default="to_emit")
    cancelled_automatically: bool | None = said("Whether the system cancelled it.", default=False)
    nfe_service: str | None = said("Service code of the NFS-e.")
    nfe_verification: str | None = said("Verification code of the NFS-e.")
    nfe_issue_date: BrazilianDay = said("Day on which the NFS-e was issued.")
    nfe_body: str | None = said("Text of the NFS-e.", default="$DESCRICAO")
    nfe_issued: bool | None = said("Whether the NFS-e was issued.", default=False)
    number: str | None = said("Number of the NFS-e.")
    created_at: str | None = said("Moment of creation.")
    management_type: str | None = said("manual or automatic.", default="manual")
    accrual_date: IsoDay = said("Competence month, as its first day.")
    comments: str | None = said("Free text (Observações).")
    customer_id: int | None = said("The contract's customer.")
    customer_type: str | None = said("Company or Person.")
    emites_service_values_id: int | None = said("NFS-e template of Emites.")
    emites_service_value_name: str | None = said("Its name.")
    nfse_template_id: int | None = said("NFS-e template.")
    finance_category: str | None = said("Category in the finance system.")
    finance_category_id: int | None = said("Its id.")
    finance_revenue_center: str | None = said("Revenue centre in the finance system.")
    finance_revenue_center_id: int | None = said("Its id.")
    myfinance_sale_account_id: int | None = said("Account for receivables in the finance system.")
    myfinance_sale_account_name: str | None = said("Its name.")
    cobrato_charge_config_id: int | None = said("Charge configuration.")
    cobrato_charge_config_name: str | None = said("Its name.")
    cobrato_charge_template_id: int | None = said("Charge template.")
    cobrato_charge_template_name: str | None = said("Its name.")
    days_until_automatic_nfe_emission: int | None = said(
        "Business days after receipt until the NFS-e is issued; 0: on the issue date.", default=0
    )
    automatic_nfe_issue_date: BrazilianDay = said("Day on which the NFS-e will be issued.")
    automatic_email_template_id: int | None = said("E-mail template; required for automatic management.")
    approval_status: str | None = said("approved or blocked.", default="approved")
    notification_ruler_id: int | None = said("Dunning schedule.")
    issue_nfse: bool | None = said("Whether an NFS-e is to be issued.", default=False)
    receivables: Many[Receivable] = said("Due dates.", default=[])
    services: Many[Service] = said("Services.", default=[])
    attachments: Many[Attachment] = said("Files.", default=[])
    payment_information: PaymentInformation | None = said("How it is paid.")


class Invoice(Billable):
    """An invoice, as the API answers it."""

    automatic_management_on_business_days: bool | None = said("Whether it is billed on business days.", default=False)
    nfse_url: str | None = said("Where the NFS-e's PDF is.")
    fatura_url: str | None = said("Where the invoice's PDF is.")


class AdditionalInformation(Resource):
    """When a rule issues invoices."""

    id: Identifier = said("Id.")
    init_date: IsoDay = said("Issue date of the first invoice.")
    title: str | None = said("Title of the rule.", default="")
    period_unit: str | None = said("monthly or weekly.", default="monthly")
    month_quantity: int | None = said("Periodicity in months: 1, 2, 3, 6 or 12; null for weekly.")
    end_date: IsoDay = said("Last day on which an invoice may be issued; null repeats for ever.")
    created_at: str | None = said("Moment of creation.")
    accrual_month_quantity: str | None = said("same_month, previous_month or next_month.", default="same_month")


class ScheduledUpdate(Resource):
    """An agreed readjustment by a price index."""

    id: Identifier = said("Id.")
    invoice_rule_id: int | None = said("Its rule.")
    execution_date: IsoDay = said("Next execution; starts as init_date.")
    month_quantity: int | None = said("Periodicity in months.")
    price_index: str | None = said("igpm, ipca, igpdi, inpc or ipcfipe.")
    created_at: str | None = said("Moment of creation.")
    updated_at: str | None = said("Moment of the last change.")
    init_date: IsoDay = said("First execution.")
    days_until_update: int | None = said("Days between the reminder and the execution.")
    remind_at: IsoDay = said("execution_date less days_until_update.")
    notified: bool | None = said("Whether the reminder went out.", default=False)
    service_item_id: int | None = said("The one service it readjusts; null for the whole rule.")
    invoice_template_id: int | None = said("Its template, for a template's entry.")


class ReceivablesAdditionalInformation(Resource):
    """How a rule's due dates follow from the issue date."""

    id: Identifier = said("Id.")
    day_number: int | None = said("Day of the month.")
    parcel_number: int | None = said("Number of installments.")
    invoice_rule_id: int | None = said("Its rule.")
    created_at: str | None = said("Moment of creation.")
    updated_at: str | None = said("Moment of the last change.")
    day_quantity: int | None = said("Days after the issue date.")
    month_quantity: int | None = said("Months after the issue date's.")
    only_business_days: bool | None = said("Whether only business days count.", default=False)


class InvoiceRule(Billable):
    """A rule by which invoices recur."""

    notify_customer: bool | None = said("Whether the customer is told of readjustments.", default=False)
    apply_negative_updates: bool | None = said("Whether an index that fell lowers the price.", default=False)
    additional_information: AdditionalInformation | None = said("When it issues.")
    scheduled_updates: Many[ScheduledUpdate] = said("Readjustments.", default=[])
    receivables_additional_information: ReceivablesAdditionalInformation | None = said("Its due dates.")


class TemplateDueDates(Resource):
    """How due dates follow from the issue date, in a template."""

    charge_type: str | None = said("fixed_day, last_day_of_month, day_quantity or fixed_day_and_month_quantity.")
    day_number: int | None = said("Day of the month.")
    day_quantity: int | None = said("Days after the issue date.")
    month_quantity: int | None = said("Months after the issue date's.")
    parcel_number: int | None = said("Number of installments.")
    only_business_days: bool | None = said("Whether only business days count.", default=False)
    create_parcels: bool | None = said("Whether receivables are created.", default=True)


class InvoiceTemplate(Resource):
    """A template of invoices and rules."""

    id: Identifier = said("Id.")
    name: str | None = said("Name.", default="")
    gross_value: Money = said("Gross value.")
    month_quantity: int | None = said("Periodicity in months.", default=1)
    period_unit: str | None = said("monthly or weekly.", default="monthly")
    management_type: str | None = said("manual or automatic.", default="manual")
    automatic_email_template_id: int | None = said("E-mail template of automatic management.")
    notification_ruler_id: int | None = said("Dunning schedule.")
    accrual_month_quantity: str | None = said("same_month, previous_month or next_month.", default="same_month")
    description: str | None = said("Description.", default="")
    receivables_additional_information: TemplateDueDates | None = Field(
        default_factory=TemplateDueDates, description="Due dates."
    )
    emites_service_values_id: int | None = said("NFS-e template of Emites.")
    emites_service_value_name: str | None = said("Its name.", default="")
    days_until_automatic_nfe_emission: int | None = said("Business days after receipt.", default=0)
    nfe_body: str | None = said("Text of the NFS-e.", default="$DESCRICAO")
    payment_method: str | None = said("billet, payment_gateway or transfer.", default="billet")
    card_installments: int | None = said("Installments on the card; null for other methods.")
    cobrato_charge_config_id: int | None = said("Charge configuration.")
    cobrato_charge_config_name: str | None = said("Its name.", default="")
    cobrato_charge_template_id: int | None = said("Charge template.")
    cobrato_charge_template_name: str | None = said("Its name.", default="")
    finance_category: str | None = said("Category in the finance system.", default="")
    finance_revenue_center: str | None = said("Revenue centre in the finance system.", default="")
    myfinance_sale_account_id: int | None = said("Account for receivables.")
    myfinance_sale_account_name: str | None = said("Its name.", default="")
    notify_customer: bool | None = said("Whether the customer is told of readjustments.", default=False)
    apply_negative_updates: bool | None = said("Whether an index that fell lowers the price.", default=False)
    created_at: str | None = said("Moment of creation.")
    issue_nfse: bool | None = said("Whether an NFS-e is to be issued.", default=False)
    financial_account_id: int | None = said("Account that receives.")
    charging_account_id: str | None = said("Charging account (UUID).")
    financial_charge_template_id: int | None = said("Charge template.")
    services: Many[Service] = said("Services.", default=[])
    scheduled_updates: Many[ScheduledUpdate] = said(
        "Readjustments; they join a rule that gives them an init_date.", default=[]
    )

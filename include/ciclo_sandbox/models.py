"""The vendor's resources in the shape of 2026, a sentence for each field.

These shapes are answers and state file alike, and OpenAPI is made from them. What is left out of a state gets the
default, an explicit null stays null, a field that is not known is passed over. `shapes.py` answers the shape of 2018.
"""

from typing import Any

from pydantic import Field

from ciclo_sandbox.parsing import BrazilianDay, ContractState, Identifier, IsoDay, Many, Money, Resource, State, said


class _Party(Resource):
    id: Identifier = said("Id.")
    account_id: int | None = said("Id of the account.", default=1)
    name: str | None = said("Name.", default="")
    address: str | None = said("Street.")
    number: str | None = said("House number.")
    complement: str | None = said("Complement of the address.")
    zipcode: str | None = said("Postal code.")
    district: str | None = said("District.")
    city: str | None = said("City.")
    state: str | None = said("State, two letters.")
    created_at: str | None = said("Moment of creation.")


class Organization(_Party):
    """A company of the account: it sells, or it buys by purchase contracts."""

    company_name: str | None = said("Registered name.")
    cnpj: str | None = said("Registration number, with punctuation.")


class Company(_Party):
    """A customer that is a company."""

    company_name: str | None = said("Registered name.")
    cnpj: str | None = said("Registration number, with punctuation.")
    state_inscription: str | None = said("Registration at the state.")
    city_inscription: str | None = said("Registration at the city.")
    contacts: str | None = said("Whom to talk to.")
    billing_contacts: str | None = said("E-mail addresses for billing.")
    kind: str | None = said("company.", default="company")
    comments: str | None = said("Free text.")
    client_since: BrazilianDay = said("Customer since.")
    nfse_email: str | None = said("E-mail address for tax documents.")
    myfinance_customer_id: int | None = said("Id in the finance system.")
    myfinance_errors: str | None = said("Why the finance system refused it.")
    updated_at: str | None = said("Moment of the last change.")


class Person(_Party):
    """A customer that is a person."""

    cpf: str | None = said("Registration number, without punctuation.")
    email: str | None = said("E-mail address.")
    comments: str | None = said("Free text.")
    client_since: BrazilianDay = said("Customer since.")
    allow_email_on_nfse: bool | None = said("Whether the tax document may show the e-mail address.", default=False)
    myfinance_customer_id: int | None = said("Id in the finance system.")
    myfinance_errors: str | None = said("Why the finance system refused it.")


class ServiceItem(Resource):
    """An entry of the account's catalogue of services."""

    id: Identifier = said("Id of the service item.")
    account_id: int | None = said("Id of the account.", default=1)
    name: str = said("Name, unique in the account.", default=...)
    description: str | None = said("Description; a service without its own takes this one.")
    value: Money = said("Usual unit value.")
    unit: str | None = said("Unit of measure.", default="item")


class EmailTemplate(Resource):
    """A template of the e-mails that an organization sends."""

    id: Identifier = said("Id of the template.")
    company_id: int | None = said("Organization that the template belongs to.")
    name: str | None = said("Name.")
    cc: str | None = said("Addresses that get a copy.")
    from_: str | None = Field(default=None, alias="from", description="Sender's address.")
    body: str | None = said("Text with variables such as $DESCRICAO.")
    subject: str | None = said("Subject.")
    description: str | None = said("What the template is for.")
    include_billet: bool | None = said("Whether the bank slip is attached.", default=False)
    include_nfse_pdf: bool | None = said("Whether the NFS-e is attached as PDF.", default=False)
    include_nfse_xml: bool | None = said("Whether the NFS-e is attached as XML.", default=False)
    include_attachments: bool | None = said("Whether the invoice's attachments are attached.", default=False)
    include_invoice_pdf: bool | None = said("Whether the invoice is attached as PDF.", default=False)
    default_template: bool | None = said("Whether it is the organization's default.", default=False)
    subscription_default_template: bool | None = said("Whether it is the default of subscriptions.", default=False)
    created_at: str | None = said("Moment of creation.")


class ChargeTemplate(Resource):
    """Interest and fine of a boleto."""

    id: Identifier = said("Id of the template.")
    name: str | None = said("Name.")
    interest_value: Money = said("Interest.", default="0.0")
    fine_value: Money = said("Fine.", default="0.0")
    instructions: str | None = said("Text on the boleto.", default="")
    organization_id: int | None = said("Organization that the template belongs to.")
    financial_account_id: int | None = said("Account that receives.")
    charging_account_id: str | None = said("Charging account (UUID), instead of a financial account.")
    payment_method: str | None = said("boleto.", default="boleto")
    fine_type: str | None = said("without, fixed or percentage.", default="without")
    interest_type: str | None = said("without, fixed or percentage.", default="without")
    created_at: str | None = said("Moment of creation.")
    updated_at: str | None = said("Moment of the last change.")


class FinancialAccount(Resource):
    """An account that receives."""

    id: Identifier = said("Id of the account.")
    status: str | None = said("State of the account.", default="processing")
    bank_code: str | None = said("Bank.")
    bank_branch: str | None = said("Branch.")
    bank_account: str | None = said("Account.")
    organization_id: int | None = said("Organization that the account belongs to.")
    payout_bank_code: str | None = said("Bank of the payout.")
    payout_bank_branch: str | None = said("Branch of the payout.")
    payout_bank_account: str | None = said("Account of the payout.")
    payment_methods: list[str] | None = said("What it takes: boleto.", default=[])
    accept_fixed_fine: bool | None = said("Whether a fixed fine is possible.", default=False)
    created_at: str | None = said("Moment of creation.")
    updated_at: str | None = said("Moment of the last change.")


class NfseTemplate(Resource):
    """A template of tax documents."""

    id: Identifier = said("Id of the template.")
    company_id: int | None = said("Organization that the template belongs to.")
    name: str | None = said("Name.")
    codigo_servico_municipal: str | None = said("The city's code of the service.")
    item_lista_servico: str | None = said("Item of the list of services.")
    cnae: str | None = said("Code of the activity.")
    servico_prestado_municipio_cliente: bool | None = said("Whether it is rendered at the customer's.", default=False)
    iss_retido_fonte: bool | None = said("Whether ISS is withheld.", default=False)
    aliquota_iss: Money = said("Rate of ISS.")
    aliquota_ir: Money = said("Rate of IR.")
    aliquota_pis: Money = said("Rate of PIS.")
    aliquota_cofins: Money = said("Rate of COFINS.")
    aliquota_csll: Money = said("Rate of CSLL.")
    aliquota_inss: Money = said("Rate of INSS.")
    aliquota_iss_retido: Money = said("Rate of withheld ISS.")
    retencoes_destacadas_nota: list[str] | None = said("Withholdings shown on the document.", default=[])
    percentual_carga_tributaria: Money = said("Tax burden in per cent.")
    fonte_carga_tributaria: str | None = said("Source of the tax burden.")
    limite_retencao_ir: Money = said("Threshold of withholding IR.")
    limite_retencao_pcc: Money = said("Threshold of withholding PIS, COFINS and CSLL.")
    limite_retencao_inss: Money = said("Threshold of withholding INSS.")
    limite_retencao_iss: Money = said("Threshold of withholding ISS.")
    external_service_id: str | None = said("Id of the service elsewhere.")
    external_service_description: str | None = said("Its description.")
    created_at: str | None = said("Moment of creation.")
    updated_at: str | None = said("Moment of the last change.")


class NfseServiceItem(Resource):
    """A line of a tax document."""

    id: Identifier = said("Id of the line.")
    description: str | None = said("Description.")
    codigo_servico_municipal: str | None = said("The city's code of the service.")
    item_lista_servico: str | None = said("Item of the list of services.")
    external_service_id: str | None = said("Id of the service elsewhere.")
    cnae: str | None = said("Code of the activity.")
    value: Money = said("Value.")
    aliquota_iss: Money = said("Rate of ISS.")
    units: Money = said("Quantity.", default="1.0")
    nfse_id: int | None = said("Its tax document.")
    created_at: str | None = said("Moment of creation.")
    updated_at: str | None = said("Moment of the last change.")
    descricao_servico_municipal: str | None = said("The city's description of the service.")


class _NfseParties(Resource):
    customer_email: str | None = said("The customer's e-mail address.")
    customer_name: str | None = said("The customer's name.")
    customer_company_name: str | None = said("The customer's registered name.")
    customer_document_number: str | None = said("The customer's registration number.")
    customer_city: str | None = said("The customer's city.")
    customer_city_ibge_code: str | None = said("Its code.")
    customer_state: str | None = said("The customer's state.")
    customer_city_inscription: str | None = said("The customer's registration at the city.")
    customer_state_inscription: str | None = said("The customer's registration at the state.")
    customer_address: str | None = said("The customer's street.")
    customer_number: str | None = said("The customer's house number.")
    customer_complement: str | None = said("Complement of the customer's address.")
    customer_district: str | None = said("The customer's district.")
    customer_zipcode: str | None = said("The customer's postal code.")
    organization_name: str | None = said("The organization's name.")
    organization_company_name: str | None = said("The organization's registered name.")
    organization_document_number: str | None = said("The organization's registration number.")
    organization_city: str | None = said("The organization's city.")
    organization_city_ibge_code: str | None = said("Its code.")
    organization_state: str | None = said("The organization's state.")
    organization_city_inscription: str | None = said("The organization's registration at the city.")
    organization_state_inscription: str | None = said("The organization's registration at the state.")
    organization_address: str | None = said("The organization's street.")
    organization_number: str | None = said("The organization's house number.")
    organization_complement: str | None = said("Complement of the organization's address.")
    organization_district: str | None = said("The organization's district.")
    organization_zipcode: str | None = said("The organization's postal code.")
    organization_is_incentivador_cultural: bool | None = said("Whether it supports culture.", default=False)
    organization_is_optante_simples_nacional: bool | None = said("Whether it is of Simples Nacional.", default=False)


class Nfse(_NfseParties):
    """A tax document of an invoice."""

    id: Identifier = said("Id of the tax document.")
    nfse_number: str | None = said("Its number.")
    generated_at: str | None = said("Moment of its issue.")
    value: Money = said("Value.")
    verification_code: str | None = said("Verification code.")
    city_nfse_url: str | None = said("Where the city shows it.")
    status: str | None = said("Emitida, Cancelada, …", default="Emitida")
    invoice_id: int | None = said("Its invoice.")
    customer_type: str | None = said("Company or Person.", default="Company")
    customer_id: int | None = said("Id of the customer.")
    created_at: str | None = said("Moment of creation.")
    updated_at: str | None = said("Moment of the last change.")
    external_id: str | None = said("Id elsewhere (UUID).")
    servico_prestado_municipio_cliente: bool | None = said("Whether it is rendered at the customer's.", default=False)
    iss_retido_fonte: bool | None = said("Whether ISS is withheld.", default=False)
    percentual_carga_tributaria: Money = said("Tax burden in per cent.", default="0.0")
    carga_tributaria_value: Money = said("Tax burden in money.", default="0.0")
    fonte_carga_tributaria: str | None = said("Source of the tax burden.", default="")
    ir_value: Money = said("IR in money.", default="0.0")
    pis_value: Money = said("PIS in money.", default="0.0")
    cofins_value: Money = said("COFINS in money.", default="0.0")
    csll_value: Money = said("CSLL in money.", default="0.0")
    inss_value: Money = said("INSS in money.", default="0.0")
    iss_value: Money = said("ISS in money.", default="0.0")
    outras_value: Money = said("Other withholdings in money.", default="0.0")
    retained_iss_value: Money = said("Withheld ISS in money.", default="0.0")
    service_provided_city: str | None = said("City of the service.")
    service_provided_city_code: str | None = said("Its code.")
    service_provided_state: str | None = said("State of the service.")
    cancellation_requested_at: str | None = said("Moment at which it was asked to be cancelled.")
    cancelled_at: str | None = said("Moment of its cancellation.")
    integration_errors: str | None = said("What the city complains about.")
    request_sent: str | None = said("What the city was sent.")
    organization_id: int | None = said("Organization that issued it.")
    rps_number: int | None = said("Number of the provisional receipt.")
    rps_serie: str | None = said("Its series.", default="1")
    nfse_environment: str | None = said("Producao.", default="Producao")
    accrual_date: BrazilianDay = said("Competence, dd/mm/yyyy here.")
    servico_prestado_municipio_prestador: bool | None = said("Whether it is rendered at home.", default=True)
    servico_prestado_municipio_codigo: str | None = said("Code of the city of the service.", default="")
    pdf_url: str | None = said("Where the PDF is.")
    xml_url: str | None = said("Where the XML is.")
    nfse_service_items: Many[NfseServiceItem] = said("Lines.", default=[])


class PlanProduct(Resource):
    """A service that a plan sells."""

    id: Identifier = said("Id.")
    name: str | None = said("Name of the service item.")
    description: str | None = said("Description.")
    unit_value: Money = said("Value of a unit.")
    units: Money = said("Quantity.", default="1.0")
    value: Money = said("Units times value of a unit.")


class PlanFeature(Resource):
    """What a plan offers."""

    id: Identifier = said("Id.")
    description: str | None = said("Description.")
    value: str | None = said("Value.")
    tag: str | None = said("Tag.")


class Plan(Resource):
    """A plan that customers subscribe to; withdrawn in 2023."""

    id: Identifier = said("Id of the plan.")
    name: str | None = said("Name.", default="")
    description: str | None = said("Description.")
    redirect_url: str | None = said("Where a customer goes after the checkout.")
    price: Money = said("Price.", default="0.0")
    billing_period: int | None = said("Months between invoices.", default=1)
    translated_billing_period: str | None = said("In words.", default="Mensalmente")
    charging_method: str | None = said("pre_paid or post_paid.")
    translated_charging_method: dict[str, str] | None = said(
        "In words.", default={"pre_paid": "Pré-pago", "post_paid": "Pós-pago"}
    )
    has_trial: bool | None = said("Whether it begins with a trial.", default=False)
    trial_period: int | None = said("Days of the trial.")
    features: Many[PlanFeature] = said("What it offers.", default=[])
    readjustment_will_be_created: bool | None = said("Whether it is readjusted.", default=False)
    readjustment_month_quantity: int | None = said("Periodicity of the readjustment.")
    price_index: str | None = said("Index of the readjustment.")
    readjustment_days_until_update: int | None = said("Notice of the readjustment.")
    billet_notification_ruler_id: int | None = said("Dunning schedule of boletos.")
    payment_gateway_notification_ruler_id: int | None = said("Dunning schedule of cards.")
    emites_service_values_id: int | None = said("NFS-e template of Emites.")
    emites_service_value_name: str | None = said("Its name.", default="")
    cobrato_billet_charge_config_id: int | None = said("Charge configuration of boletos.")
    cobrato_billet_charge_config_name: str | None = said("Its name.", default="")
    cobrato_billet_charge_template_id: int | None = said("Charge template of boletos.")
    cobrato_billet_charge_template_name: str | None = said("Its name.", default="")
    cobrato_payment_gateway_charge_config_id: int | None = said("Charge configuration of cards.")
    cobrato_payment_gateway_charge_config_name: str | None = said("Its name.", default="")
    finance_category: str | None = said("Category in the finance system.", default="")
    finance_revenue_center: str | None = said("Revenue centre in the finance system.", default="")
    myfinance_billet_sale_account_id: int | None = said("Account of boletos.")
    myfinance_billet_sale_account_name: str | None = said("Its name.", default="")
    myfinance_payment_gateway_sale_account_id: int | None = said("Account of cards.")
    myfinance_payment_gateway_sale_account_name: str | None = said("Its name.", default="")
    allow_installments: bool | None = said("Whether cards pay in installments.", default=False)
    installments_limit: int | None = said("Most installments.")
    created_at: str | None = said("Moment of creation.")
    products: Many[PlanProduct] = said("What it sells.", default=[])


class Contract(Resource):
    """A contract, as the API answers it."""

    id: Identifier = said("Id of the contract.")
    name: str = said("Name, unique in the account.", default="")
    title: str | None = said("Title.")
    token: str | None = said("Token that webhooks name the contract by.")
    description: str | None = said("Description.")
    customer_id: int | None = said("Id of the customer.")
    customer_type: str | None = said("Company or Person.", default="Company")
    supplier_id: int | None = said("Id of the supplier.")
    supplier_type: str | None = said("Company or Person.", default="Company")
    state: ContractState = said("active or inactive.", default="active")
    comments: str | None = said("Free text.")
    init_date: BrazilianDay = said("First day of the contract.")
    end_date: BrazilianDay = said("Last day of the contract.")
    created_at: str | None = said("Moment of creation.")
    kind: str | None = said("sale or purchase.", default="sale")
    overdue: bool | None = said("Whether the customer is in arrears.", default=False)
    valid_until: BrazilianDay = said("Day until which a subscription is paid.")
    status: str | None = said("established or trial.", default="established")
    registration_method: str | None = said("regular or subscription.", default="regular")
    cobrato_payment_gateway_charge_config_id: int | None = said("Charge configuration for cards.")
    cobrato_payment_gateway_charge_config_name: str | None = said("Its name.")
    cancel_date: BrazilianDay = said("Day of cancellation.")
    cancel_reason: str | None = said("Why it was cancelled.")
    overdue_automatic_management: bool | None = said("Whether billing goes on while overdue.", default=False)
    plan: dict[str, Any] | None = said("The subscription's plan.")


class Service(Resource):
    """A line of an invoice, a rule or a template."""

    id: Identifier = said("Id of the line.")
    name: str | None = said("Name of the service item.")
    description: str | None = said("Description; the service item's unless given.")
    unit_value: Money = said("Value of a unit.")
    units: Money = said("Quantity.")
    value: Money = said("units x unit_value, rounded half up to cents.")


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
    cobrato_charge_id: int | None = said("Id of the charge.")
    cobrato_errors: str | None = said("Why the charge could not be created.")
    finance_receivable_id: int | None = said("Id in the finance system.")
    myfinance_sale_id: int | None = said("Id of the sale in the finance system.")
    finance_entity_id: int | None = said("Id of the entity in the finance system.")
    myfinance_errors: str | None = said("Why the finance system refused it.")
    myfinance_receivable_account_id: int | None = said("Account in the finance system.")
    billet_url: str | None = said("Where the boleto is; the searches call it boleto_url.")


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

"""Who buys and sells, what is sold, and the templates and accounts of an organization."""

from pydantic import Field

from ciclo_sandbox.parsing import BrazilianDay, Complaint, Identifier, Money, Resource, Stated, said


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
    myfinance_errors: Complaint = said("Why the finance system refused it.")
    updated_at: str | None = said("Moment of the last change.")


class Person(_Party):
    """A customer that is a person."""

    cpf: str | None = said("Registration number, without punctuation.")
    email: str | None = said("E-mail address.")
    comments: str | None = said("Free text.")
    client_since: BrazilianDay = said("Customer since.")
    allow_email_on_nfse: bool | None = said("Whether the tax document may show the e-mail address.", default=False)
    myfinance_customer_id: int | None = said("Id in the finance system.")
    myfinance_errors: Complaint = said("Why the finance system refused it.")


class ServiceItem(Resource):
    """An entry of the account's catalogue of services."""

    id: Identifier = said("Id of the service item.")
    account_id: int | None = said("Id of the account.", default=1)
    name: str | None = said("Name, unique in the account.", default=...)
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
    aliquota_iss: Stated = said("Rate of ISS.")
    aliquota_ir: Stated = said("Rate of IR.")
    aliquota_pis: Stated = said("Rate of PIS.")
    aliquota_cofins: Stated = said("Rate of COFINS.")
    aliquota_csll: Stated = said("Rate of CSLL.")
    aliquota_inss: Stated = said("Rate of INSS.")
    aliquota_iss_retido: Stated = said("Rate of withheld ISS.")
    retencoes_destacadas_nota: list[str] | None = said("Withholdings shown on the document.", default=[])
    percentual_carga_tributaria: Stated = said("Tax burden in per cent.")
    fonte_carga_tributaria: str | None = said("Source of the tax burden.")
    limite_retencao_ir: Stated = said("Threshold of withholding IR.")
    limite_retencao_pcc: Stated = said("Threshold of withholding PIS, COFINS and CSLL.")
    limite_retencao_inss: Stated = said("Threshold of withholding INSS.")
    limite_retencao_iss: Stated = said("Threshold of withholding ISS.")
    external_service_id: str | None = said("Id of the service elsewhere.")
    external_service_description: str | None = said("Its description.")
    created_at: str | None = said("Moment of creation.")
    updated_at: str | None = said("Moment of the last change.")

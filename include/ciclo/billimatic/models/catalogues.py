"""The account's and the organization's catalogues: services, templates of all kinds, accounts, tax documents.

Only ids are required; names and texts are for people. What is set up on the screens can only be read over the API.
"""

from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field

from ciclo.billimatic.models.reading import (
    Number,
    OptionalDay,
    OptionalMoney,
    OptionalNumber,
    OptionalText,
    OptionalTimestamp,
    OptionalTruth,
    Record,
    read_list,
)
from ciclo.domain.nfse import NfseState, nfse_state

Texts = Annotated[tuple[str, ...], BeforeValidator(read_list)]


class ServiceItem(Record):
    """A service of the account's catalogue, with its list price in BRL."""

    resource: ClassVar[str] = "service_item"
    plural: ClassVar[str] = "service_items"

    id: Number
    account_id: OptionalNumber = None
    name: OptionalText = None
    description: OptionalText = None
    value: OptionalMoney = None
    unit: OptionalText = None


class EmailTemplate(Record):
    """An e-mail the vendor sends with an automatic invoice; `company_id` is the organization."""

    resource: ClassVar[str] = "email_template"
    plural: ClassVar[str] = "email_templates"

    id: Number
    company_id: OptionalNumber = None
    name: OptionalText = None
    subject: OptionalText = None
    body: OptionalText = None
    cc: OptionalText = None
    from_: Annotated[OptionalText, Field(validation_alias="from")] = None
    description: OptionalText = None
    include_billet: OptionalTruth = None
    include_nfse_pdf: OptionalTruth = None
    include_nfse_xml: OptionalTruth = None
    include_attachments: OptionalTruth = None
    include_invoice_pdf: OptionalTruth = None
    default_template: OptionalTruth = None
    subscription_default_template: OptionalTruth = None
    created_at: OptionalTimestamp = None


class ChargeTemplate(Record):
    """Interest and fine of a boleto; belongs to a financial account or, since 2021-11, to a charging account."""

    resource: ClassVar[str] = "charge_template"
    plural: ClassVar[str] = "charge_templates"

    id: Number
    name: OptionalText = None
    organization_id: OptionalNumber = None
    financial_account_id: OptionalNumber = None
    charging_account_id: OptionalText = None
    payment_method: OptionalText = None
    interest_type: OptionalText = None
    interest_value: OptionalMoney = None
    fine_type: OptionalText = None
    fine_value: OptionalMoney = None
    instructions: OptionalText = None
    created_at: OptionalTimestamp = None
    updated_at: OptionalTimestamp = None


class FinancialAccount(Record):
    """An account that receives what customers pay."""

    resource: ClassVar[str] = "financial_account"
    plural: ClassVar[str] = "financial_accounts"

    id: Number
    organization_id: OptionalNumber = None
    status: OptionalText = None
    bank_code: OptionalText = None
    bank_branch: OptionalText = None
    bank_account: OptionalText = None
    payout_bank_code: OptionalText = None
    payout_bank_branch: OptionalText = None
    payout_bank_account: OptionalText = None
    payment_methods: Texts = ()
    accept_fixed_fine: OptionalTruth = None
    created_at: OptionalTimestamp = None
    updated_at: OptionalTimestamp = None


class NfseTemplate(Record):
    """How a tax document is made: codes of the service, tax rates in percent; `company_id` is the organization."""

    resource: ClassVar[str] = "nfse_template"
    plural: ClassVar[str] = "nfse_templates"

    id: Number
    company_id: OptionalNumber = None
    name: OptionalText = None
    codigo_servico_municipal: OptionalText = None
    item_lista_servico: OptionalText = None
    cnae: OptionalText = None
    servico_prestado_municipio_cliente: OptionalTruth = None
    iss_retido_fonte: OptionalTruth = None
    aliquota_iss: OptionalMoney = None
    aliquota_ir: OptionalMoney = None
    aliquota_pis: OptionalMoney = None
    aliquota_cofins: OptionalMoney = None
    aliquota_csll: OptionalMoney = None
    aliquota_inss: OptionalMoney = None
    aliquota_iss_retido: OptionalMoney = None
    retencoes_destacadas_nota: Texts = ()
    percentual_carga_tributaria: OptionalMoney = None
    fonte_carga_tributaria: OptionalText = None
    limite_retencao_ir: OptionalMoney = None
    limite_retencao_pcc: OptionalMoney = None
    limite_retencao_inss: OptionalMoney = None
    limite_retencao_iss: OptionalMoney = None
    external_service_id: OptionalText = None
    external_service_description: OptionalText = None
    created_at: OptionalTimestamp = None
    updated_at: OptionalTimestamp = None


class Nfse(Record):
    """An issued tax document; `invoice_id` tells of which invoice, `status` is the vendor's word (`Emitida`).

    Its many copies of names and addresses are in `payload`.
    """

    resource: ClassVar[str] = "nfse"
    plural: ClassVar[str] = "nfses"

    id: Number
    invoice_id: OptionalNumber = None
    organization_id: OptionalNumber = None
    customer_id: OptionalNumber = None
    customer_type: OptionalText = None
    nfse_number: OptionalText = None
    rps_number: OptionalText = None
    rps_serie: OptionalText = None
    nfse_environment: OptionalText = None
    status: OptionalText = None
    value: OptionalMoney = None
    iss_value: OptionalMoney = None
    retained_iss_value: OptionalMoney = None
    ir_value: OptionalMoney = None
    pis_value: OptionalMoney = None
    cofins_value: OptionalMoney = None
    csll_value: OptionalMoney = None
    inss_value: OptionalMoney = None
    outras_value: OptionalMoney = None
    accrual_date: OptionalDay = None
    generated_at: OptionalTimestamp = None
    verification_code: OptionalText = None
    external_id: OptionalText = None
    cancellation_requested_at: OptionalTimestamp = None
    cancelled_at: OptionalTimestamp = None
    integration_errors: OptionalText = None
    city_nfse_url: OptionalText = None
    pdf_url: OptionalText = None
    xml_url: OptionalText = None
    nfse_service_items: Annotated[tuple[dict[str, Any], ...], BeforeValidator(read_list)] = ()
    created_at: OptionalTimestamp = None
    updated_at: OptionalTimestamp = None

    @property
    def state(self) -> NfseState:
        """What it is worth."""
        return nfse_state(self.status, self.integration_errors, cancelled=self.cancelled_at is not None)

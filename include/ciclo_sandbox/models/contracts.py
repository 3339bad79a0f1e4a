"""Contracts, and the plans that subscriptions were made of."""

from typing import Any

from ciclo_sandbox.parsing import BrazilianDay, ContractState, Identifier, Many, Money, Resource, said


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
    name: str | None = said("Name, unique in the account.", default="")
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

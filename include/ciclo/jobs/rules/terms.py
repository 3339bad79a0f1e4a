"""From the API's rule to the ledger's terms: the one place where a vendor's rule becomes ours.

Whatever cannot be billed is refused here, with contract, rule and field.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, TypeVar

from ciclo.billimatic.models import AdditionalInformation, InvoiceRule, ScheduledUpdate, Service
from ciclo.domain.due_dates import Charge, ChargeType, charge_type_of
from ciclo.domain.errors import InvalidRule
from ciclo.domain.recurrence import AccrualMonth, PeriodUnit, Recurrence
from ciclo.ledger.terms import RuleTerms, ServiceLine
from ciclo.locale import N_, Text

Choice = TypeVar("Choice", bound=StrEnum)

CARRIED_OVER = (
    "description",
    "nfe_body",
    "approval_status",
    "management_type",
    "automatic_email_template_id",
    "days_until_automatic_nfe_emission",
    "notification_ruler_id",
    "issue_nfse",
    "nfse_template_id",
    "finance_category",
    "finance_category_id",
    "finance_revenue_center",
    "finance_revenue_center_id",
    "myfinance_sale_account_id",
    "myfinance_sale_account_name",
    "cobrato_charge_config_id",
    "cobrato_charge_config_name",
    "cobrato_charge_template_id",
    "cobrato_charge_template_name",
    "comments",
)
"""Fields of a rule that its invoices carry over as they are."""


def read_terms(rule: InvoiceRule, service_items: Mapping[str, int] | None = None) -> RuleTerms:
    """Return the terms of a rule.

    Args:
        rule: as the API answered it.
        service_items: id by name of the account's service items: a rule's answer names a service but not its item.

    Raises:
        InvalidRule: naming contract, rule and the field that cannot be billed by.
    """
    try:
        _require_distinct("services", rule.services)
        _require_distinct("scheduled_updates", rule.scheduled_updates)
        return RuleTerms(
            recurrence=_recurrence(rule),
            charge=_charge(rule),
            accrual=_choice(
                AccrualMonth,
                _timing(rule).accrual_month_quantity,
                "additional_information.accrual_month_quantity",
            ),
            services=tuple(_line(service, service_items or {}) for service in rule.services),
            apply_negative_updates=rule.apply_negative_updates,
            invoice=_carried_over(rule),
        )
    except InvalidRule as error:
        raise error.at(contract=rule.contract_id, rule=rule.id) from None


def _require_distinct(field: str, several: Sequence[Service] | Sequence[ScheduledUpdate]) -> None:
    """Refuse what is listed twice: a service would be billed twice."""
    if len({each.id for each in several}) < len(several):
        raise InvalidRule(field, Text(N_("has the same id twice")))


def _recurrence(rule: InvoiceRule) -> Recurrence:
    timing = _timing(rule)
    unit = _choice(PeriodUnit, timing.period_unit, "additional_information.period_unit")
    return Recurrence(
        init_date=timing.init_date,
        period_unit=unit,
        month_quantity=timing.month_quantity if unit is PeriodUnit.MONTHLY else None,
        end_date=timing.end_date,
    )


def _timing(rule: InvoiceRule) -> AdditionalInformation:
    if rule.says_that_it_never_recurs:
        raise InvalidRule("additional_information", Text(N_("is null: the rule never recurs")))
    if rule.additional_information is None:
        raise InvalidRule("additional_information", Text(N_("is missing: nothing says whether the rule recurs")))
    return rule.additional_information


_DUE = "receivables_additional_information"


def _charge(rule: InvoiceRule) -> Charge:
    details = rule.receivables_additional_information
    if _DUE in rule.payload and not rule.payload[_DUE]:  # with every field null it is `last_day_of_month`
        raise InvalidRule(_DUE, Text(N_("is null: nothing says when its invoices are due")))
    return Charge(
        charge_type=charge_type_of(details.day_number, details.day_quantity, details.month_quantity)
        if rule.charge_type is None
        else _choice(ChargeType, rule.charge_type, "charge_type"),
        day_number=details.day_number,
        day_quantity=details.day_quantity,
        month_quantity=details.month_quantity,
        only_business_days=details.only_business_days,
        parcel_number=details.parcel_number,
    )


def _line(service: Service, service_items: Mapping[str, int]) -> ServiceLine:
    return ServiceLine(
        id=service.id,
        units=service.units,
        name=service.name,
        description=service.description,
        service_item_id=service.service_item_id or service_items.get(service.name or ""),
    )


def _carried_over(rule: InvoiceRule) -> dict[str, Any]:
    fields = {name: getattr(rule, name) for name in CARRIED_OVER}
    payment = rule.payment_information
    if payment is not None:
        fields["payment_information"] = {
            "payment_method": payment.payment_method,
            "installments": payment.installments if payment.payment_method == "payment_gateway" else None,
            "financial_charge_template_id": payment.financial_charge_template_id,
            "financial_account_id": payment.financial_account_id,
            "charging_account_id": payment.charging_account_id,
        }
    for name in ("finance_category", "finance_revenue_center"):
        if fields[f"{name}_id"] is not None:  # which of the two wins is not documented: one is sent
            fields[name] = None
    return {name: value for name, value in fields.items() if value is not None}


def _choice(kind: type[Choice], value: object, field: str) -> Choice:
    try:
        return kind(str(value))
    except ValueError:
        raise InvalidRule(field, Text(N_("{value} is not known"), value=repr(value))) from None

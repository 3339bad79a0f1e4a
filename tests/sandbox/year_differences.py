"""What answers up to 2018 call differently among themselves. The sandbox answers the shape of December 2018.

`DROPPED` fields are in old recordings only, `ADDED` ones in the sandbox's answers only; `REWRITTEN` values are the same
thing in another form. Each says for which years' recordings that holds, and why.
"""

from typing import Any

Years = tuple[int, ...]

DROPPED: dict[str, tuple[Years, str]] = {
    "invoice.finance_receive_via": ((2016, 2017), "gave way to myfinance_sale_account_id and _name"),
    "receivables.finance_errors": ((2016, 2017), "is called myfinance_errors since 2018"),
    "rule.finance_receive_via": ((2016, 2017), "gave way to myfinance_sale_account_id and _name"),
    "rule.scheduled_update": ((2016, 2017), "a rule has many since 2018: scheduled_updates"),
    "additional_information.rulable_id": ((2016, 2017), "an inner name, hidden since June 2017"),
    "additional_information.rulable_type": ((2016, 2017), "an inner name, hidden since June 2017"),
    "additional_information.updated_at": ((2016, 2017), "hidden since June 2017"),
}

_SINCE_2016 = (2016,)
_SINCE_2017 = (2016, 2017)
_SINCE_2018 = (2016, 2017, 2018)

ADDED: dict[str, tuple[Years, str]] = {
    **dict.fromkeys(
        (f"{kind}.{field}" for kind in ("invoice", "rule") for field in (
            "estimated_issue_date", "cancelled_automatically", "nfe_body", "management_type", "accrual_date",
            "comments", "customer_id", "customer_type", "emites_service_value_name", "cobrato_charge_config_name",
            "cobrato_charge_template_id", "cobrato_charge_template_name", "days_until_automatic_nfe_emission",
            "automatic_nfe_issue_date", "automatic_email_template_id", "approval_status", "receivables",
        )),
        (_SINCE_2017, "came in 2016 and 2017, one after the other"),
    ),
    **dict.fromkeys(
        (f"{kind}.{field}" for kind in ("invoice", "rule") for field in (
            "notification_ruler_id", "myfinance_sale_account_id", "myfinance_sale_account_name",
        )),
        (_SINCE_2018, "came in 2018"),
    ),
    "invoice.payment_information": (_SINCE_2018, "came in 2018"),
    "rule.notify_customer": (_SINCE_2018, "came in December 2018"),
    "rule.apply_negative_updates": (_SINCE_2018, "came in December 2018"),
    "rule.payment_information": (_SINCE_2017, "came in July 2017"),
    "rule.scheduled_updates": (_SINCE_2017, "came in 2018"),
    "scheduled_updates.invoice_template_id": (_SINCE_2018, "came in December 2018, with templates"),
    "additional_information.period_unit": (_SINCE_2017, "came in June 2017, with weekly rules"),
    "receivables_additional_information.only_business_days": (_SINCE_2016, "came in 2017"),
    "receivables.myfinance_sale_id": (_SINCE_2017, "came in 2018"),
    "receivables.myfinance_errors": (_SINCE_2017, "was called finance_errors"),
    "services.description": (_SINCE_2016, "came in 2017"),
    **dict.fromkeys(
        ("contract.cancel_date", "contract.cancel_reason"), (_SINCE_2016, "came in 2017"),
    ),
    **dict.fromkeys(
        ("contract.cobrato_payment_gateway_charge_config_id", "contract.cobrato_payment_gateway_charge_config_name"),
        (_SINCE_2017, "came in the second half of 2017"),
    ),
}  # fmt: skip

REWRITTEN: dict[str, tuple[Years, dict[Any, Any], str]] = {
    "invoice.state": ((2016,), {0: "to_emit"}, "a number until September 2016"),
    "rule.state": ((2016,), {0: "to_emit"}, "a number until September 2016"),
    "contract.state": ((2016,), {1: "active"}, "a number in 2016"),
}

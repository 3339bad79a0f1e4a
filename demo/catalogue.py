"""What the demo company sells: its service items, its e-mail template and the invoice template of seed 002.

The rule here: ids are fixed, because contracts, tests and the documentation name them.
"""

from datetime import date
from decimal import Decimal
from typing import Any, Final

from demo.vendor_shapes import EMAIL_TEMPLATE_ID, amount

ORGANIZATION_ID: Final = 2107
ORGANIZATION_NAME: Final = "Vértice Serviços Gerenciados Ltda."
ACCOUNT_ID: Final = 32
TEMPLATE_ID: Final = 26

SUPPORT, BACKUP, MONITORING, ANTIVIRUS, LINK, PHONE, PRINTER = 101, 102, 103, 104, 105, 106, 107
EXTRA_PAGE, SERVER, CONSULTING, NETWORK, LICENCE, WEBSITE, CAMERA = 108, 109, 110, 111, 112, 113, 114
SEED_SERVICE_1, SEED_SERVICE_7, SEED_SERVICE_383 = 1, 7, 383

_SERVICES: Final = (
    (SEED_SERVICE_1, "Serviço 1", "45.00", "mês"),
    (SEED_SERVICE_7, "Serviço 7", "50.00", "mês"),
    (SUPPORT, "Suporte de TI remoto", "89.90", "estação"),
    (BACKUP, "Backup em nuvem", "64.50", "100 GB"),
    (MONITORING, "Monitoramento de servidores 24 horas", "349.00", "servidor"),
    (ANTIVIRUS, "Antivírus gerenciado", "18.75", "estação"),
    (LINK, "Link dedicado de internet", "790.00", "100 Mb/s"),
    (PHONE, "Telefonia IP", "39.90", "ramal"),
    (PRINTER, "Locação de impressora", "185.00", "equipamento"),
    (EXTRA_PAGE, "Página impressa excedente", "0.09", "página"),
    (SERVER, "Locação de servidor", "1250.00", "equipamento"),
    (CONSULTING, "Consultoria em segurança da informação", "220.00", "hora"),
    (NETWORK, "Manutenção preventiva de rede", "480.00", "visita"),
    (LICENCE, "Licença do sistema de gestão", "129.00", "usuário"),
    (WEBSITE, "Hospedagem de site", "74.90", "site"),
    (CAMERA, "Câmeras e controle de acesso", "95.00", "ponto"),
    (SEED_SERVICE_383, "Serviço Teste Doc", "100.00", "item"),
)

SERVICE_NAMES: Final = {service_id: name for service_id, name, _, _ in _SERVICES}


def service_items() -> list[dict[str, Any]]:
    """Return the catalogue as `GET service_items` answers it."""
    return [
        {
            "id": service_id,
            "account_id": ACCOUNT_ID,
            "name": name,
            "description": "",
            "value": amount(Decimal(value)),
            "unit": unit,
        }
        for service_id, name, value, unit in _SERVICES
    ]


def email_templates() -> list[dict[str, Any]]:
    """Return the one e-mail template, which the automatic rules use."""
    return [
        {
            "id": EMAIL_TEMPLATE_ID,
            "company_id": ORGANIZATION_ID,
            "name": "Faturamento Resumido",
            "cc": None,
            "from": None,
            "body": "Prezado(a) Cliente,\n\nA nota fiscal $NUMERO, no valor de R$ $VALOR_BRUTO, foi emitida em "
            "$DATA_EMISSAO.\n\n$NOME_PRESTADOR\n",
            "subject": "Nota Fiscal Emitida",
            "description": "Notifica o cliente que um novo faturamento foi criado.",
            "include_billet": True,
            "include_nfse_pdf": False,
            "include_nfse_xml": False,
            "include_attachments": False,
            "include_invoice_pdf": False,
            "default_template": True,
            "subscription_default_template": True,
            "created_at": "10/08/2018 10:52:41 -03:00",
        }
    ]


def invoice_templates() -> list[dict[str, Any]]:
    """Return the template from which seed 002 creates its rule: services 1 and 7, updates 490 and 492."""
    return [
        {
            "id": TEMPLATE_ID,
            "name": "Pacote básico",
            "gross_value": "95.0",
            "month_quantity": 1,
            "period_unit": "monthly",
            "management_type": "manual",
            "automatic_email_template_id": None,
            "notification_ruler_id": None,
            "accrual_month_quantity": "same_month",
            "description": "Pacote básico de serviços",
            "receivables_additional_information": {
                "charge_type": "fixed_day",
                "day_number": 1,
                "day_quantity": None,
                "month_quantity": None,
                "parcel_number": None,
                "only_business_days": False,
                "create_parcels": False,
            },
            "emites_service_values_id": None,
            "emites_service_value_name": "",
            "days_until_automatic_nfe_emission": 0,
            "nfe_body": "$DESCRICAO",
            "payment_method": "billet",
            "cobrato_charge_config_id": None,
            "cobrato_charge_config_name": "",
            "cobrato_charge_template_id": None,
            "cobrato_charge_template_name": "",
            "finance_category": "",
            "finance_revenue_center": "",
            "myfinance_sale_account_id": None,
            "myfinance_sale_account_name": "",
            "notify_customer": False,
            "apply_negative_updates": True,
            "created_at": "03/12/2018 10:00:00 -02:00",
            "services": [_template_service(SEED_SERVICE_1, 9001), _template_service(SEED_SERVICE_7, 9002)],
            "scheduled_updates": [
                _template_update(490, "igpdi", SEED_SERVICE_1),
                _template_update(492, "ipcfipe", SEED_SERVICE_7),
            ],
        }
    ]


def _template_service(service_item_id: int, entry_id: int) -> dict[str, Any]:
    value = amount({SEED_SERVICE_1: Decimal(45), SEED_SERVICE_7: Decimal(50)}[service_item_id])
    return {
        "id": entry_id,
        "service_item_id": service_item_id,
        "name": SERVICE_NAMES[service_item_id],
        "description": "",
        "unit_value": value,
        "units": "1.0",
        "value": value,
    }


def _template_update(entry_id: int, price_index: str, service_item_id: int) -> dict[str, Any]:
    return {
        "id": entry_id,
        "invoice_rule_id": None,
        "execution_date": None,
        "month_quantity": 12,
        "price_index": price_index,
        "created_at": f"{date(2018, 12, 3).isoformat()}T10:00:00.000-02:00",
        "updated_at": f"{date(2018, 12, 3).isoformat()}T10:00:00.000-02:00",
        "init_date": None,
        "days_until_update": None,
        "remind_at": None,
        "notified": False,
        "service_item_id": service_item_id,
        "invoice_template_id": TEMPLATE_ID,
    }

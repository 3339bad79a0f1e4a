"""Factories and hauliers: large rules, weekly ones, instalments, readjustments per service."""

from datetime import date
from typing import Final

from demo import catalogue as item
from demo.sales import Contract, Rule, Update, brl, day_of_later_month, days_later, fixed_day, line, month_end

CONTRACTS: Final = (
    Contract(
        "Metalúrgica Aço Forte S.A.",
        "Ambiente industrial",
        (
            Rule(
                "Servidores e monitoramento",
                date(2020, 9, 1),
                1,
                (line(item.SERVER, "8", "1312.40"), line(item.MONITORING, "22", "338.15")),
                days_later(28),
                updates=(
                    Update("igpdi", date(2021, 9, 1), due=date(2025, 9, 1), service_item_id=item.SERVER),
                    Update("ipcfipe", date(2021, 9, 1), due=date(2025, 9, 1), service_item_id=item.MONITORING),
                ),
            ),
            Rule(
                "Plantão técnico", date(2025, 1, 6), "weekly", brl("1450.00"), days_later(10, only_business_days=True)
            ),
        ),
    ),
    Contract(
        "Têxtil Fio Dourado Ltda.",
        "Rede e telefonia",
        (
            Rule("Rede", date(2023, 5, 31), 2, (line(item.NETWORK, "3", "465.00"),), month_end()),
            Rule(
                "Telefonia",
                date(2022, 12, 5),
                1,
                (line(item.PHONE, "120", "34.20"),),
                fixed_day(12),
                previous_month=True,
            ),
        ),
    ),
    Contract(
        "Plásticos Moldar Ltda.",
        "Segurança da informação",
        (
            Rule(
                "Consultoria",
                date(2024, 3, 31),
                3,
                (line(item.CONSULTING, "40", "215.00"),),
                day_of_later_month(15, 1, parcels=3),
            ),
        ),
    ),
    Contract(
        "Frigorífico Campo Nobre S.A.",
        "Infraestrutura",
        (
            Rule(
                "Links redundantes",
                date(2022, 2, 10),
                1,
                (line(item.LINK, "4", "812.50"),),
                day_of_later_month(10, 1),
                updates=(Update("ipca", date(2023, 2, 10)),),
            ),
            Rule("Auditoria anual", date(2023, 8, 31), 12, brl("42000.00"), day_of_later_month(5, 2, parcels=6)),
        ),
    ),
    Contract(
        "Cervejaria Lúpulo e Malte Ltda.",
        "Suporte de TI",
        (Rule("Semestralidade", date(2023, 3, 31), 6, (line(item.SUPPORT, "18", "502.00"),), days_later(15)),),
    ),
    Contract(
        "Gráfica Cor e Forma Ltda.",
        "Impressão",
        (
            Rule(
                "Equipamentos",
                date(2021, 12, 30),
                2,
                (line(item.PRINTER, "14", "172.00"), line(item.EXTRA_PAGE, "25350", "0.075")),
                month_end(only_business_days=True),
            ),
        ),
    ),
    Contract(
        "Laticínios Serra Fria Ltda.",
        "Monitoramento",
        (
            Rule(
                "Mensalidade",
                date(2023, 1, 1),
                1,
                (line(item.MONITORING, "5", "349.00"),),
                fixed_day(10),
                updates=(Update("igpm", date(2023, 7, 1), every=6, due=date(2025, 1, 1)),),
            ),
        ),
    ),
    Contract(
        "Distribuidora Norte Bebidas Ltda.",
        "Telefonia e backup",
        (
            Rule("Telefonia", date(2024, 6, 30), 1, (line(item.PHONE, "35", "39.90"),), days_later(20)),
            Rule("Backup", date(2024, 5, 29), 3, (line(item.BACKUP, "12.75", "61.20"),), month_end()),
        ),
    ),
    Contract(
        "Transportadora Rota Sul Ltda.",
        "Rastreamento e suporte",
        (
            Rule("Suporte", date(2024, 7, 1), "weekly", brl("620.00"), fixed_day(10), end=date(2025, 6, 27)),
            Rule("Sistema de gestão", date(2023, 11, 20), 1, (line(item.LICENCE, "22", "125.00"),), fixed_day(20)),
        ),
    ),
    Contract(
        "Engenharia Ponto Firme S.A.",
        "Canteiros de obra",
        (
            Rule("Links móveis", date(2024, 2, 15), 1, brl("3275.40"), days_later(30), end=date(2025, 8, 31)),
            Rule("Câmeras", date(2025, 2, 28), 1, (line(item.CAMERA, "16", "95.00"),), month_end()),
        ),
    ),
)

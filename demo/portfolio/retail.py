"""Shops: many small rules, month-end anchors, readjustments of every kind."""

from datetime import date
from typing import Final

from demo import catalogue as item
from demo.sales import Contract, Rule, Update, brl, days_later, fixed_day, line, month_end

CONTRACTS: Final = (
    Contract(
        "Padaria Estrela do Sul Ltda.",
        "Suporte de TI",
        (
            Rule("Mensalidade", date(2023, 3, 10), 1, (line(item.SUPPORT, "4", "89.90"),), fixed_day(20)),
            Rule("Backup", date(2023, 3, 10), 1, (line(item.BACKUP, "2.5", "64.55"),), fixed_day(20)),
        ),
    ),
    Contract(
        "Supermercados Três Irmãos S.A.",
        "Infraestrutura das lojas",
        (
            Rule(
                "Links das lojas",
                date(2021, 6, 1),
                1,
                (line(item.LINK, "6", "742.80"), line(item.MONITORING, "12", "315.00")),
                fixed_day(10),
                updates=(Update("igpm", date(2022, 6, 1), due=date(2025, 6, 1)),),
            ),
            Rule("Câmeras", date(2023, 1, 31), 1, (line(item.CAMERA, "84", "92.30"),), month_end()),
            Rule("Inventário anual", date(2022, 11, 15), 12, brl("18600.00"), days_later(30, parcels=3)),
        ),
    ),
    Contract(
        "Farmácias Vida Plena Ltda.",
        "Rede de lojas",
        (
            Rule("Telefonia", date(2024, 1, 31), 1, (line(item.PHONE, "48", "37.45"),), fixed_day(15)),
            Rule(
                "Licenças",
                date(2022, 4, 5),
                1,
                (line(item.LICENCE, "31", "118.90"),),
                fixed_day(31),
                updates=(Update("ipca", date(2023, 4, 5), due=date(2025, 4, 5)),),
                automatic=True,
                notify_customer=True,
            ),
        ),
    ),
    Contract(
        "Livraria Página Um Ltda.",
        "Hospedagem de site",
        (Rule("Anuidade", date(2020, 2, 29), 12, (line(item.WEBSITE, "1", "898.80"),), days_later(10)),),
    ),
    Contract(
        "Pet Shop Patas e Cia. Ltda.",
        "Suporte de TI",
        (Rule("Mensalidade", date(2024, 8, 29), 1, brl("269.70"), fixed_day(5)),),
    ),
    Contract(
        "Floricultura Bem-me-quer ME",
        "Suporte de TI",
        (Rule("Mensalidade", date(2025, 5, 12), 1, brl("179.80"), days_later(7)),),
    ),
    Contract(
        "Ótica Olhar Claro Ltda.",
        "Impressão",
        (
            Rule("Equipamentos", date(2023, 9, 30), 1, (line(item.PRINTER, "2", "185.00"),), fixed_day(30)),
            Rule(
                "Páginas excedentes",
                date(2024, 10, 1),
                1,
                (line(item.EXTRA_PAGE, "1312", "0.09"),),
                days_later(5, only_business_days=True),
                previous_month=True,
            ),
        ),
    ),
    Contract(
        "Sorveteria Polo Norte ME",
        "Temporada de verão",
        (
            Rule(
                "Monitoramento semanal", date(2024, 12, 2), "weekly", brl("95.00"), days_later(5), end=date(2025, 3, 31)
            ),
        ),
    ),
    Contract(
        "Móveis Casa Nova Indústria Ltda.",
        "Sistema de gestão",
        (
            Rule(
                "Licenças",
                date(2021, 10, 15),
                3,
                (line(item.LICENCE, "54", "121.35"),),
                fixed_day(1),
                updates=(Update("inpc", date(2022, 10, 15), due=date(2025, 10, 15)),),
            ),
        ),
    ),
    Contract(
        "Confecções Linha Fina Ltda.",
        "Locação de servidores",
        (
            Rule(
                "Locação",
                date(2022, 7, 1),
                1,
                (line(item.SERVER, "2", "1180.00"),),
                fixed_day(8),
                updates=(Update("igpm", date(2023, 7, 1)),),
                apply_negative_updates=False,
            ),
        ),
    ),
)

"""Offices, schools, condominiums: blocked approval, ended and future rules, a person as customer."""

from datetime import date
from typing import Final

from demo import catalogue as item
from demo.sales import Contract, Rule, Update, brl, days_later, fixed_day, line, month_end

CONTRACTS: Final = (
    Contract(
        "Escritório Contábil Almeida e Rocha S/S",
        "Suporte de TI",
        (
            Rule(
                "Mensalidade",
                date(2020, 1, 5),
                1,
                (line(item.SUPPORT, "16", "83.25"),),
                fixed_day(5),
                updates=(Update("igpdi", date(2021, 1, 5), due=date(2025, 1, 5)),),
            ),
        ),
    ),
    Contract(
        "Advocacia Prado e Nogueira",
        "Backup em nuvem",
        (Rule("Mensalidade", date(2023, 10, 16), 1, brl("387.00"), days_later(3, only_business_days=True)),),
    ),
    Contract(
        "Imobiliária Chave de Ouro Ltda.",
        "Telefonia e site",
        (
            Rule("Telefonia", date(2024, 2, 29), 1, (line(item.PHONE, "11", "39.90"),), fixed_day(10)),
            Rule("Site", date(2022, 6, 30), 6, (line(item.WEBSITE, "1", "449.40"),), fixed_day(31)),
        ),
    ),
    Contract(
        "Condomínio Edifício Jacarandá",
        "Portaria remota",
        (
            Rule(
                "Mensalidade",
                date(2022, 10, 1),
                1,
                (line(item.CAMERA, "24", "97.60"),),
                fixed_day(10),
                updates=(Update("inpc", date(2023, 10, 1), due=date(2025, 10, 1)),),
                previous_month=True,
            ),
        ),
    ),
    Contract(
        "Condomínio Parque das Águas",
        "Portaria remota",
        (Rule("Mensalidade", date(2023, 7, 31), 1, (line(item.CAMERA, "36", "93.00"),), month_end()),),
    ),
    Contract(
        "Colégio Novo Horizonte Ltda.",
        "Laboratórios de informática",
        (
            Rule("Anuidade", date(2023, 1, 20), 12, brl("36480.00"), fixed_day(10, parcels=12)),
            Rule("Antivírus", date(2024, 3, 4), 6, (line(item.ANTIVIRUS, "210", "98.40"),), days_later(28)),
        ),
    ),
    Contract(
        "Escola de Idiomas Ponte Ltda.",
        "Suporte de TI",
        (Rule("Mensalidade", date(2024, 9, 25), 1, brl("539.40"), fixed_day(5), blocked=True),),
    ),
    Contract(
        "Fundação Educar Mais",
        "Suporte de TI",
        (
            Rule("Mensalidade", date(2024, 5, 17), 1, brl("712.00"), fixed_day(17), payment_method="transfer"),
            Rule("Novo laboratório", date(2026, 2, 1), 1, brl("1890.00"), fixed_day(10)),
        ),
    ),
    Contract(
        "Marcos Vinícius Teixeira",
        "Consultoria",
        (Rule("Mentoria semanal", date(2025, 9, 3), "weekly", brl("220.00"), days_later(2), end=date(2025, 12, 17)),),
        person=True,
    ),
    Contract(
        "Cooperativa Agrícola Vale Verde",
        "Monitoramento",
        (
            Rule("Silos", date(2021, 1, 15), 1, brl("2310.00"), fixed_day(15), end=date(2024, 12, 31)),
            Rule("Silos, novo contrato", date(2025, 1, 15), 1, brl("2495.00"), fixed_day(15)),
        ),
    ),
)

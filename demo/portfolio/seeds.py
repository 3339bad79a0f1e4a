"""The contract and the rule that the vendor's own documentation shows (seeds 000 and 002), ids included."""

from datetime import date
from typing import Final

from demo import catalogue as item
from demo.sales import Contract, Rule, Update, fixed_day, line

CONTRACTS: Final = (
    Contract(
        "Teste Doc Comércio Ltda.",
        "Serviços avulsos",
        (Rule("Manutenção avulsa", date(2024, 12, 2), 1, (line(item.SEED_SERVICE_383, "7", "100.00"),), fixed_day(2)),),
        id=11986,
        customer_id=1954,
    ),
    Contract(
        "Helena Martins Duarte",
        "Pacote básico",
        (
            Rule(
                "Regra nova",
                date(2018, 12, 20),
                12,
                (line(item.SEED_SERVICE_1, "1", "45.00"), line(item.SEED_SERVICE_7, "1", "50.00")),
                fixed_day(1),
                updates=(
                    Update("igpdi", date(2019, 12, 20), service_item_id=item.SEED_SERVICE_1),
                    Update("ipcfipe", date(2019, 12, 20), service_item_id=item.SEED_SERVICE_7),
                ),
                description="teste",
                id=6955,
            ),
        ),
        person=True,
        id=255,
        customer_id=16,
    ),
)

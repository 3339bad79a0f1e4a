"""What a finance person has to look at: nothing here may be billed silently, nothing may be lost."""

from datetime import date
from typing import Final

from demo import catalogue as item
from demo.sales import Contract, Rule, brl, days_later, fixed_day, line

CONTRACTS: Final = (
    Contract(
        "Auto Peças Bandeirante Ltda.",
        "Suporte de TI",
        (
            Rule("Mensalidade", date(2024, 6, 3), 1, brl("359.60"), fixed_day(13)),
            # The vendor refuses an invoice without description: each of its periods has to be parked with that reason.
            Rule("Visitas técnicas", date(2024, 1, 22), 3, brl("960.00"), days_later(10), description=""),
        ),
    ),
    Contract(
        "Posto Rodovia 381 Ltda.",
        "Câmeras",
        (Rule("Mensalidade", date(2023, 2, 14), 1, (line(item.CAMERA, "10", "95.00"),), fixed_day(20)),),
        cancelled_on=date(2024, 11, 30),
    ),
    Contract("Oficina Motor Bom ME", "Contrato sem cobrança recorrente", ()),
)

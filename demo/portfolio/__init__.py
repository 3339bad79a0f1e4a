"""The demo company's customers and what each of them is billed: the table behind the demonstration.

The rule here: every line is a sale that a finance person would recognise; together they cover every way of recurring
that the vendor knows, which `tests/demo` checks case by case.
"""

from typing import Final

from demo.portfolio import doubtful, industry, professionals, retail, seeds, services

CONTRACTS: Final = (
    seeds.CONTRACTS
    + retail.CONTRACTS
    + industry.CONTRACTS
    + services.CONTRACTS
    + professionals.CONTRACTS
    + doubtful.CONTRACTS
)

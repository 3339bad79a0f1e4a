"""Reasons and findings in words: the one place where a kind with its facts becomes a sentence; import from here.

`reasons`, `findings` and `audit` hold the words of each kind, `comparison` those of an invoice held against the one
before, `sentences` puts facts into them.
"""

from ciclo.domain.wording.comparison import said_of_comparison, said_of_difference
from ciclo.domain.wording.reasons import BREAKS
from ciclo.domain.wording.sentences import (
    A_MONTH,
    heading,
    instruction_words,
    key_words,
    kind_words,
    month_words,
    named,
    plain_words,
    said,
    said_of_finding,
    said_of_line,
    side_words,
    state_words,
    verdict_words,
)

__all__ = [
    "A_MONTH",
    "BREAKS",
    "heading",
    "instruction_words",
    "key_words",
    "kind_words",
    "month_words",
    "named",
    "plain_words",
    "said",
    "said_of_comparison",
    "said_of_difference",
    "said_of_finding",
    "said_of_line",
    "side_words",
    "state_words",
    "verdict_words",
]

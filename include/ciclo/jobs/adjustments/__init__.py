"""What differs from a rule for one period: quantities, lines, discounts, pauses. Import from here.

```
correct     invoices that are there already and still to_emit are brought to what they should be: PATCH
complement  differences that are billed by an invoice of their own get a rule of a single day: POST
remind      quantities that a rule waits for are asked for
```

They come in by `ciclo.ledger.actions.add_adjustments`; what is created has them in it from the start, see
`ciclo.jobs.issuing.invoice_request`.
"""

from ciclo.jobs.adjustments.complement import bill_complements
from ciclo.jobs.adjustments.correct import CorrectionsInDoubtError, adopt_adjusted, correct_invoices
from ciclo.jobs.adjustments.remind import asked_for_quantities

__all__ = ["CorrectionsInDoubtError", "adopt_adjusted", "asked_for_quantities", "bill_complements", "correct_invoices"]

"""What differs from a rule for one period: quantities, lines, discounts, pauses. Import from here.

```
correct   invoices that are there already and still to_emit are brought to what they should be: PATCH
```

They come in by `ciclo.ledger.adjusting.add_adjustments`; what is created has them in it from the start, see
`ciclo.jobs.issuing.invoice_request`.
"""

from ciclo.jobs.adjustments.correct import CorrectionsInDoubtError, adopt_adjusted, correct_invoices

__all__ = ["CorrectionsInDoubtError", "adopt_adjusted", "correct_invoices"]

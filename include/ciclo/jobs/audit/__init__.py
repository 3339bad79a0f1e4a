"""An account and a range of months judged without a ledger: what was billed wrongly, twice, or not at all."""

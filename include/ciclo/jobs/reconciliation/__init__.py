"""The vendor's invoices and receivables against the ledger."""

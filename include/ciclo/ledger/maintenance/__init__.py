"""Looking after the ledger's database: backup and copy."""

"""What the console reads: one module a view, each result a frozen dataclass. Nothing here changes a row.

A view costs a fixed number of statements, whatever the size of the ledger; lists page in the database.
"""

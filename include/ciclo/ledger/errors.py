"""What can be wrong with the ledger itself. Messages never carry the URL, which may hold a password."""


class LedgerError(Exception):
    """Parent of the ledger's errors."""


class LedgerUrlError(LedgerError):
    """`CICLO_LEDGER_URL` leads nowhere."""

    def __init__(self, why: str) -> None:
        super().__init__(f"The ledger cannot be opened: {why}. Check CICLO_LEDGER_URL.")


class LedgerNotMigratedError(LedgerError):
    """The ledger's tables are missing or of another version."""

    def __init__(self, *, found: str | None, wanted: str) -> None:
        state = "was never migrated" if found is None else f"is at migration {found}, not at {wanted}"
        super().__init__(f"The ledger {state}. Run `ciclo db upgrade`, then try again.")

"""What can be wrong with the ledger, split by what to do next; and what a database's refusals mean.

```
LedgerError
├── LedgerUrlError              somebody corrects the address
├── LedgerUnavailableError      the database, or what knows its address, is away: try again later
├── LedgerRefusedError          its user lacks a right
├── LedgerNotMigratedError      `ciclo db upgrade`
├── LedgerNewerError            install the version that migrated it
├── ForeignDatabaseError        the database is another application's
└── UnusableLedgerError         a ledger named on the command line
```

No message holds a piece of an address, which may hold a password: a driver's own message may quote one.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DatabaseError, OperationalError

from ciclo.locale import N_, _

VARIABLE = "CICLO_LEDGER_URL"


class LedgerError(Exception):
    """Parent of the ledger's errors."""


class LedgerUrlError(LedgerError):
    """The ledger's address leads nowhere; `variable` is the setting to correct."""

    def __init__(self, why: str, variable: str = VARIABLE) -> None:
        text = _("The ledger cannot be opened: {why}. Check {variable}.")
        super().__init__(text.format(why=why, variable=variable))


class LedgerUnavailableError(LedgerError):
    """The ledger, or what knows its address, does not answer now; it may do so later."""

    def __init__(self, why: str, variable: str = VARIABLE) -> None:
        text = _("The ledger cannot be reached: {why}. If it lasts, check {variable}.")
        super().__init__(text.format(why=why, variable=variable))


class LedgerRefusedError(LedgerError):
    """The ledger's user lacks a right; `message` is the database's, which names the object."""

    def __init__(self, message: str) -> None:
        text = _("The database refuses that: {why}. Grant it to the ledger's user, then try again.")
        super().__init__(text.format(why=message))


class LedgerNotMigratedError(LedgerError):
    """The ledger's tables are missing or of another version."""

    def __init__(self, *, found: str | None, wanted: str) -> None:
        if found is None:
            text = _("The ledger was never migrated. Run `ciclo db upgrade`, then try again.")
        else:
            text = _("The ledger is at migration {found}, not at {wanted}. Run `ciclo db upgrade`, then try again.")
        super().__init__(text.format(found=found, wanted=wanted))


class LedgerNewerError(LedgerError):
    """The ledger is at a migration that this version of Ciclo does not have."""

    def __init__(self, found: str) -> None:
        text = _("The ledger is at migration {found}, of a newer version of Ciclo. Install that version.")
        super().__init__(text.format(found=found))


class ForeignDatabaseError(LedgerError):
    """The database is another application's."""

    def __init__(self) -> None:
        text = _(
            "The database holds the tables and migrations of another application, such as Airflow's own. "
            "The ledger needs a database to itself: create one and name it in {variable}."
        )
        super().__init__(text.format(variable=VARIABLE))


class UnusableLedgerError(LedgerError):
    """A ledger is not there, or not at this version's migration; `called` says which one. Never shows the URL."""

    def __init__(self, called: str, why: str) -> None:
        super().__init__(_("The {called} cannot be used: {why}").format(called=_(called), why=why))


@contextmanager
def explained() -> Iterator[None]:
    """Turn a database's refusal into one sentence.

    Raises:
        LedgerUnavailableError: no connection could be made, or it was lost.
        LedgerRefusedError: its user may not do that.
    """
    try:
        yield
    except OperationalError as error:
        said = str(error.orig).casefold()
        why = next((_(meaning) for piece, meaning in _AWAY.items() if piece in said), None)
        if why is None and isinstance(error.orig, sqlite3.OperationalError):
            raise  # SQLite says so of a wrong statement too
        raise LedgerUnavailableError(
            why or _("the database fails ({error})").format(error=type(error.orig).__name__)
        ) from None
    except DatabaseError as error:
        if getattr(error.orig, "sqlstate", None) not in _LACKS_RIGHT:
            raise
        raise LedgerRefusedError(str(error.orig.diag.message_primary)) from None  # type: ignore[union-attr]


_LACKS_RIGHT = {"42501", "3F000"}
"""PostgreSQL's codes for a missing right; the second where not one schema may be used."""
_AWAY = {
    "refused": N_("the connection is refused"),
    "password authentication failed": N_("the server does not accept its user or password"),
    "no password supplied": N_("the server wants a password"),
    "too many": N_("the server has no connection left"),
    "remaining connection slots": N_("the server has no connection left"),
    "no more connections": N_("the server has no connection left"),
    "does not exist": N_("the server knows no such database or user"),
    "no such file": N_("there is no server at that socket"),
    "resolve host": N_("its host is not known"),
    "translate host": N_("its host is not known"),
    "timeout": N_("the server does not answer in time"),
    "certificate": N_("the server's certificate is not accepted"),
    "ssl": N_("server and address do not agree on TLS"),
    "starting up": N_("the server is starting up"),
    "shutting down": N_("the server is shutting down"),
    "pg_hba.conf": N_("the server lets no such user in from here (pg_hba.conf)"),
    "unable to open database file": N_("the file cannot be opened"),
    "readonly": N_("the file or its folder cannot be written"),
    "locked": N_("another process holds the file"),
    "disk": N_("the disk is full or fails"),
}
"""What a driver's message means, by a piece of it."""

"""What a person decides on the command line, whatever it is about: in whose name, with which note, in whose ledger."""

import getpass
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ciclo.locale import _

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

Organization = Annotated[int | None, typer.Option("--organization", help="The organization that bills.")]
Note = Annotated[str, typer.Option("--note", help="Why; kept in the audit trail with your name.")]


def act(
    action: Callable[..., Any],
    number: int,
    note: str,
    organization: "int | Callable[[Session, int], int] | None" = None,
    **given: Any,
) -> None:
    """Carry out an act of `ciclo.ledger.actions` in the name of whoever is signed in, and print what came of it.

    Args:
        action: the act.
        number: what it is about.
        note: why.
        organization: whose ledger, or what finds it by the number; by default the only one that there is.
        given: what else the act takes.
    """
    from ciclo.ledger.database import ledger_session  # noqa: PLC0415 - a command loads only what it needs

    with ledger_session() as session:
        found = organization(session, number) if callable(organization) else organization
        outcome = action(
            session, whose(session, found), number, person=getpass.getuser(), note=note, at=datetime.now(UTC), **given
        )
        session.commit()
    typer.echo(outcome.message)


def whose(session: "Session", organization: int | None) -> int:
    """Return the organization that is named, by default the only one that the ledger has.

    Raises:
        NotPossible: the ledger has no such one, so that a list of it would mean nothing; or none is named, and there is
            not just one.
    """
    from ciclo.ledger.actions import NotPossible, only_organization  # noqa: PLC0415 - a command loads only what it needs
    from ciclo.ledger.tables import Organization as Row  # noqa: PLC0415

    if organization is None:
        return only_organization(session)
    if session.get(Row, organization) is None:
        raise NotPossible(_("There is no organization {id} in this ledger.").format(id=organization))
    return organization

"""`ciclo why INVOICE`: why an invoice is not what the one before it was. Mounted by `ciclo.cli`."""

import json
from typing import Annotated

import typer

from ciclo.domain.comparison import Comparison
from ciclo.domain.wording import said_of_comparison, said_of_difference


def why(
    invoice: Annotated[int, typer.Argument(metavar="INVOICE", help="The vendor's number of the invoice.")],
    organization: Annotated[int | None, typer.Option("--organization", help="The organization that bills.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Say why an invoice differs from the one before: a sentence for the customer, and each difference."""
    from ciclo.ledger.actions import NoSuchRow, only_organization  # noqa: PLC0415 - a command loads only what it needs
    from ciclo.ledger.database import ledger_session  # noqa: PLC0415
    from ciclo.ledger.queries.comparison import comparison_of  # noqa: PLC0415

    with ledger_session() as session:
        found = comparison_of(session, organization or only_organization(session), invoice)
    if found is None:
        raise NoSuchRow("invoice", invoice)
    if as_json:
        typer.echo(json.dumps(_document(found), indent=2, ensure_ascii=False))
        return
    typer.echo(said_of_comparison(found))
    for each in found.differences:
        typer.echo(f"{each.amount:>15,.2f}  {said_of_difference(each)}")


def _document(found: Comparison) -> dict[str, object]:
    before = found.before
    return {
        "invoice_id": found.now.invoice_id,
        "issue_date": found.now.issue_date.isoformat(),
        "gross_value": f"{found.now.gross_value:f}",
        "before": None
        if before is None
        else {
            "invoice_id": before.invoice_id,
            "issue_date": before.issue_date.isoformat(),
            "gross_value": f"{before.gross_value:f}",
        },
        "difference": f"{found.difference:f}",
        "differences": [
            {"kind": each.kind.value, "amount": f"{each.amount:f}", "message": said_of_difference(each)}
            | {"facts": dict(each.facts)}
            for each in found.differences
        ],
        "sentence": said_of_comparison(found),
    }

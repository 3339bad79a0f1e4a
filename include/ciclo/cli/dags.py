"""`ciclo dags install`: the Dag files, and the console's plugin, into an Airflow that somebody has already."""

from pathlib import Path
from typing import Annotated

import typer

from ciclo.locale import _, ngettext

dags = typer.Typer(help="Ciclo's Dag files in an Airflow of your own.", no_args_is_help=True)


@dags.callback()
def every_command() -> None:
    """Ciclo's Dag files in an Airflow of your own."""


@dags.command()
def install(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="The Dags folder, or one of your own below it.")],
    plugins: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="The plugins folder: the console and the webhook receiver.")
    ] = None,
    overwrite: Annotated[  # noqa: FBT002 - a flag
        bool, typer.Option("--overwrite", help="Replace files of another version.")
    ] = False,
) -> None:
    """Copy the Dag files of this version, and with --plugins the console's; files that are the same already stay.

    Nothing is written while one of them differs, unless --overwrite says so.
    """
    wanted = [*_files("dags", folder), *(_files("plugins", plugins) if plugins is not None else [])]
    new = [(source, target) for source, target in wanted if not target.exists()]
    there = [(source, target) for source, target in wanted if target.exists()]
    other = [(source, target) for source, target in there if source.read_bytes() != target.read_bytes()]
    if other and not overwrite:
        for _source, target in other:
            typer.echo(_("error: {path} is of another version, or changed: --overwrite replaces it").format(
                path=target), err=True)  # fmt: skip
        raise typer.Exit(1)
    for source, target in (*new, *other):
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(source.read_bytes())
    written = len(new) + len(other)
    typer.echo(ngettext("{count} file written", "{count} files written", written).format(count=written))


def _files(kind: str, folder: Path) -> list[tuple[Path, Path]]:
    """Return the files of a kind that ship with the package, or stand in the checkout, and where they go."""
    package = Path(__file__).resolve().parents[1]
    home = package / "shipped" if (package / "shipped").is_dir() else package.parents[1]
    return [(source, folder / source.name) for source in sorted((home / kind).glob("*.py"))]

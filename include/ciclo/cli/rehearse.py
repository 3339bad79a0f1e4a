"""`ciclo rehearse …`: a scenario played day by day. Mounted by `ciclo.cli`."""

import json
import logging
from pathlib import Path
from typing import Annotated

import typer


def rehearse(
    scenario: Annotated[Path, typer.Argument(metavar="SCENARIO", help="A scenario (JSON): docs/rehearsal.md.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,  # noqa: FBT002 - a flag
) -> None:
    """Play billing day by day against the vendor's stand-in, with the Dags' own steps; nothing real is asked or sent.

    Exit code 0 if it was played, whatever came of it; 2 if the scenario, or an event in it, cannot be played.
    """
    from ciclo.jobs.rehearsal.outcome import outcome_of, story  # noqa: PLC0415 - a command loads only what it needs
    from ciclo.jobs.rehearsal.play import rehearsing  # noqa: PLC0415
    from ciclo.jobs.rehearsal.scenario import read_scenario  # noqa: PLC0415

    logging.getLogger("ciclo").addHandler(logging.NullHandler())  # what the Dags log is not what people are shown
    with rehearsing(read_scenario(scenario)) as rehearsal:
        rehearsal.play()
        outcome = outcome_of(rehearsal)
    typer.echo(json.dumps(outcome, indent=1, ensure_ascii=False) if as_json else "\n".join(story(outcome)))

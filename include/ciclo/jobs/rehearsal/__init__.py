"""Rehearsals: billing played day by day against the vendor's stand-in, with the steps of the Dags themselves."""


class ScenarioError(Exception):
    """A scenario cannot be read or played; the message names the file or the event."""


class RefusedError(Exception):
    """What a person wants to do in the console is refused, as it would be there; the days go on."""

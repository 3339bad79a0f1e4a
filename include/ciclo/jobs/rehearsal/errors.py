"""What stops a rehearsal."""


class ScenarioError(Exception):
    """A scenario cannot be read or played; the message names the file or the event."""

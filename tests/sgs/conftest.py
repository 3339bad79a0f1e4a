"""The scripted server that stands for the central bank."""

from scripted_server import act, pauses, server, stopped_server

__all__ = ["act", "pauses", "server", "stopped_server"]

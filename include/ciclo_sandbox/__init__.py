"""The vendor's API as a stateful server on loopback, for local runs, demos and tests; it serves SGS too.

It models the vendor by itself, from recordings and reference, and shares nothing with the client.
"""

from ciclo_sandbox.server import serve

__all__ = ["serve"]

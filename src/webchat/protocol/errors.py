"""The one way a peer's breach of a protocol is told."""

from __future__ import annotations


class ProtocolError(Exception):
    """The peer broke the protocol; the connection has to be closed."""

"""The probe of a WebSocket that is to take over from polling.

Source: engine.io-protocol, "Upgrade": `2probe`, `3probe`, then `5`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from webchat.protocol import engineio, websocket

if TYPE_CHECKING:
    from webchat.session.connection import Connection
    from webchat.session.roles import Wire


class Upgrade:
    """Receives what comes over `wire` until it belongs to `connection`, or is closed."""

    __slots__ = ("_connection", "_wire", "is_probed")

    def __init__(self, connection: Connection, wire: Wire) -> None:
        self._connection = connection
        self._wire = wire
        self.is_probed = False

    def texts(self, events: Sequence[object]) -> int:
        """A packet came over the new WebSocket. Those after it may be for the connection."""
        text = events[0]
        if not isinstance(text, str):
            return 0
        if text == engineio.PROBE and not self.is_probed:
            self.is_probed = True
            self._wire.send([engineio.PROBE_ANSWER])
            self._connection.release_poll()
        elif text == engineio.UPGRADE and self.is_probed:
            self._connection.upgraded(self._wire)
        else:
            self.fail()
        return 1

    def binary(self, data: bytes) -> None:
        """Nothing binary belongs here."""
        self.fail()

    def lost(self) -> None:
        """The probing WebSocket is gone: polling goes on."""
        self._wire.receiver = None
        self._connection.upgrade_over()

    def pause(self, held_bytes: int) -> None:
        """Too little is written here for that to matter."""

    def resume(self) -> None:
        """Nothing waits."""

    def fail(self) -> None:
        """Give the WebSocket up: it broke the protocol, or took too long. Polling goes on."""
        self.lost()
        self._wire.close(websocket.PROTOCOL_ERROR, "upgrade failed")

"""Pings and pongs of all connections of an endpoint.

Source: engine.io-protocol, "Heartbeat": in protocol 4 the server pings and the client answers, in
protocol 3 the client pings and the server answers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from webchat.ports.clock import Clock
from webchat.session.deadlines import Deadlines

if TYPE_CHECKING:
    from webchat.session.connection import Connection


class Heartbeat:
    """Pings each connection `interval_s` after its last pong, gives up after `timeout_s` more."""

    __slots__ = ("_pings", "_pongs", "_silences")

    def __init__(self, clock: Clock, interval_s: float, timeout_s: float) -> None:
        self._pings: Deadlines[Connection] = Deadlines(clock, interval_s, self._ping)
        self._pongs: Deadlines[Connection] = Deadlines(clock, timeout_s, _give_up)
        self._silences: Deadlines[Connection] = Deadlines(clock, interval_s + timeout_s, _give_up)

    def begin(self, connection: Connection) -> None:
        """Watch over `connection` from now on."""
        waiting = self._pings if connection.request.engine == 4 else self._silences
        waiting.add(connection)

    def heard(self, connection: Connection) -> None:
        """It answered a ping, or sent one itself."""
        if connection.request.engine != 4:
            self._silences.add(connection)
        elif self._pongs.discard(connection):
            self._pings.add(connection)

    def spare(self, connection: Connection) -> None:
        """Its time was up, but it was not listened to: begin anew."""
        if connection.request.engine == 4:
            self._ping(connection)
        else:
            self._silences.add(connection)

    def end(self, connection: Connection) -> None:
        """Watch no longer."""
        for waiting in (self._pings, self._pongs, self._silences):
            waiting.discard(connection)

    def stop(self) -> None:
        """Watch nobody any longer."""
        for waiting in (self._pings, self._pongs, self._silences):
            waiting.stop()

    def _ping(self, connection: Connection) -> None:
        self._pongs.add(connection)
        connection.ping()


def _give_up(connection: Connection) -> None:
    connection.timed_out()

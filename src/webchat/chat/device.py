"""A joined connection of the full form: it goes from its cursors to live, log by log.

A device without a lag in a log has what the hub has; a lag says where it is behind. While it is
behind, live entries are not sent: its backlog reads them from the log in their turn.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from webchat.chat.hub import HeldLog, User
from webchat.chat.packets import ack_of_entry, skip_packet
from webchat.model import ConvID, Entry, Seq, user_log
from webchat.protocol.socketio import Packet
from webchat.session.handler import Socket


@dataclass(frozen=True, slots=True)
class BacklogSettings:
    """`backlog_entries`: how far behind one conversation may begin; `join_entries`: how many
    entries a join may ask for in all; `page_entries`: how many are read at once."""

    backlog_entries: int = 200
    join_entries: int = 10_000
    page_entries: int = 100


Ack = tuple[int, bytes]
"""Which event it answers, and with what."""


class Lag:
    """Where a device is behind in a log. `waiting`: its cursor is still to come; `skip_only`: it
    is beyond what a join may ask for; `acks`: by `Seq`, of own entries that wait for their turn."""

    __slots__ = ("acks", "position", "skip_only", "waiting")

    def __init__(self, position: Seq, *, waiting: bool = False) -> None:
        self.position = position
        self.waiting = waiting
        self.skip_only = False
        self.acks: dict[Seq, list[Ack]] = {}

    def keep_ack(self, entry: Entry, ack_id: int) -> None:
        """An ack that takes the place of `entry`."""
        self.acks.setdefault(entry.seq, []).append((ack_id, ack_of_entry(entry)))


class Device:
    """One connection of a user: what it gets, and in which order."""

    __slots__ = ("budget", "lags", "pumping", "socket", "user")

    full = True

    def __init__(self, socket: Socket, user: User) -> None:
        self.socket = socket
        self.user = user
        self.lags: dict[ConvID, Lag] = {}
        self.pumping = False
        self.budget = 0

    # Live

    def receive(self, held: HeldLog, entry: Entry, packet: Packet) -> None:
        """An entry that is next in its log."""
        if self.lags:
            lag = self.lags.get(held.conv)
            if lag is not None:
                if not lag.skip_only:
                    return
                self._skip_to_live(held, entry, lag)
        self.socket.emit(packet)

    def place_ack(self, held: HeldLog | None, entry: Entry, ack_id: int) -> None:
        """The ack of an own entry, in that entry's place."""
        lag = self.lags.get(entry.conv) if held is not None and self.lags else None
        if lag is not None and entry.seq > lag.position:
            if not lag.skip_only:
                lag.keep_ack(entry, ack_id)
                return
            if held is not None:
                self._skip_to_live(held, entry, lag)
        self.socket.ack(ack_id, ack_of_entry(entry))

    def _skip_to_live(self, held: HeldLog, entry: Entry, lag: Lag) -> None:
        """Pass over what a join may not ask for, up to the entry that comes now."""
        self._skip(held.conv, lag, entry.seq - 1, entry.n - (entry.kind == "message"), more=True)
        self.live(held, lag)

    # Backlog

    def is_behind(self, held: HeldLog, lag: Lag) -> bool:
        """Whether `lag` still says where this device is in that log."""
        return self.lags.get(held.conv) is lag and not lag.waiting and not self.socket.closed

    def send(self, entry: Entry, packet: Packet, lag: Lag) -> None:
        """The next entry of a backlog, or the ack that takes its place."""
        lag.position = entry.seq
        acks = lag.acks.pop(entry.seq, None)
        if acks is None:
            self.socket.emit(packet)
        else:
            self._answer(acks)

    def skip(self, held: HeldLog, lag: Lag, seq: Seq, n: int) -> None:
        """Move a position of the backlog to `seq`, over what REST can still give."""
        self._skip(held.conv, lag, seq, n, more=not held.conv.startswith("user:"))

    def _skip(self, conv: ConvID, lag: Lag, seq: Seq, n: int, *, more: bool) -> None:
        if lag.position != seq:
            lag.position = seq
            self.socket.emit(skip_packet(conv, seq, n, more=more))

    def live(self, held: HeldLog, lag: Lag) -> None:
        """Nothing is left of a log's backlog; acks of what was passed over have no other place."""
        if self.lags.get(held.conv) is lag:
            del self.lags[held.conv]
        for seq in sorted(lag.acks):
            self._answer(lag.acks.pop(seq))

    def _answer(self, acks: list[Ack]) -> None:
        for ack_id, args in acks:
            self.socket.ack(ack_id, args)

    # Cursors

    def join(self, cursors: Mapping[ConvID, Seq], settings: BacklogSettings, *, more: bool) -> None:
        """The first cursors of a connection; with `more`, logs not named wait for `sync`."""
        self.budget = settings.join_entries
        for conv, held in self.user.logs.items():
            if conv not in cursors:
                self.lags[conv] = Lag(0, waiting=True)
                if not more:
                    self._begin(held, None)
        self._begin_named(cursors, settings)
        if not more:
            self._plan(self.lags, settings)

    def sync(self, cursors: Mapping[ConvID, Seq], settings: BacklogSettings, *, more: bool) -> None:
        """Further cursors, or new ones: what they do not name keeps its place."""
        if not self.is_waiting:
            self.budget = settings.join_entries
        self._begin_named(cursors, settings)
        if not more:
            self.stop_waiting(settings)

    @property
    def is_waiting(self) -> bool:
        """Whether further cursors of the join are still to come."""
        return any(lag.waiting for lag in self.lags.values())

    def stop_waiting(self, settings: BacklogSettings) -> None:
        """No further cursors come: what still waits begins at its start."""
        released = [conv for conv, lag in self.lags.items() if lag.waiting]
        for conv in released:
            self._begin(self.user.logs[conv], None)
        self._plan([conv for conv in released if conv in self.lags], settings)

    def _begin_named(self, cursors: Mapping[ConvID, Seq], settings: BacklogSettings) -> None:
        named = [conv for conv in cursors if conv in self.user.logs]
        for conv in named:
            self._begin(self.user.logs[conv], cursors[conv])
        self._plan([conv for conv in named if conv in self.lags], settings)

    def _begin(self, held: HeldLog, cursor: Seq | None) -> None:
        """Set where a log begins; None: at its start, a user log at its end."""
        lag = self.lags.get(held.conv)
        if lag is None:
            lag = self.lags[held.conv] = Lag(held.last)
        lag.waiting = False
        lag.skip_only = False
        if cursor is None:
            lag.position = 0
            if held.conv == user_log(self.user.uid):
                self._skip(held.conv, lag, held.last, held.n, more=False)
        else:
            lag.position = cursor
            if cursor > held.last:
                self._skip(held.conv, lag, held.last, held.n, more=False)
        if lag.position == held.last:
            self.live(held, lag)

    def _plan(self, convs: Iterable[ConvID], settings: BacklogSettings) -> None:
        """Share out how many entries a join may ask for, newest conversations first."""
        for held in newest_first(self.user, convs):
            lag = self.lags[held.conv]
            behind = min(held.last - lag.position, settings.backlog_entries)
            if lag.waiting:
                continue
            lag.skip_only = behind > self.budget
            if not lag.skip_only:
                self.budget -= behind


def newest_first(user: User, convs: Iterable[ConvID]) -> list[HeldLog]:
    """The held logs of these ids, the one with the newest entry first."""
    held = [user.logs[conv] for conv in convs if conv in user.logs]
    held.sort(key=lambda log: log.at, reverse=True)
    return held

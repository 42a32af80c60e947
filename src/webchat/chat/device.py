"""A joined connection of the full form: it goes from its cursors to live, log by log.

A device without a lag in a log has what the hub has; a lag says where it is behind. While it is
behind, live entries are not sent: its backlog reads them from the log in their turn.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING

from webchat.chat.acks import OwnAck, comes_instead
from webchat.chat.followed import NOTHING, FollowedLog, User, followed_log
from webchat.chat.lag import Lag
from webchat.chat.packets import ack_of_entry, entry_packet, skip_packet
from webchat.model import MESSAGE, ConvID, Entry, Head, Seq, is_user_log
from webchat.protocol.socketio import Packet
from webchat.session.handler import Socket

if TYPE_CHECKING:
    from webchat.chat.backlog import Backlog


class Device:
    """One connection of a user: what it is sent, and in which order.

    `lags`: by ConvID, where it is behind; every other log is live. `past`: groups that its user has
    left, of which it is still being sent the rest; `_ended`: those of which it has been sent all,
    with the `Seq` of their end for it; None: there has been none. `in_flight`: by MsgID, its own
    appends that the store has not answered; None until it has sent something. `budget`: how many
    entries its join may still ask for; None once no further cursors are to come. `watched`: the
    conversations whose receipts it has asked for, the latest at the end. `knows_held`: it has been
    read, since it joined, which groups messages of its user are held for, or there are none.
    """

    __slots__ = (
        "_backlog", "_ended", "budget", "in_flight", "knows_held", "lags", "past", "socket", "user",
        "watched",
    )  # fmt: skip

    full = True

    def __init__(self, socket: Socket, user: User, backlog: Backlog) -> None:
        self.socket = socket
        self.user = user
        self._backlog = backlog
        self.lags: dict[ConvID, Lag] = NOTHING
        self.past: dict[ConvID, FollowedLog] | None = None
        self._ended: dict[ConvID, Seq] | None = None
        self.in_flight: dict[str, OwnAck] | None = None
        self.budget: int | None = None
        self.knows_held = True
        self.watched: tuple[ConvID, ...] = ()

    @property
    def awaits_more(self) -> bool:
        """Further cursors of its join are still to come."""
        return self.budget is not None

    def is_appending(self, conv: ConvID) -> bool:
        """Whether something of this connection's is still being appended to `conv`."""
        in_flight = self.in_flight or NOTHING
        return any(ack.conv == conv for ack in in_flight.values())

    # Live

    def receive(self, log: FollowedLog, entry: Entry, packet: Packet) -> None:
        """Send the next entry of a log, unless this device is behind there."""
        lag = self._lag_at(log, entry) if self.lags else None
        if lag is None:
            self.socket.emit(packet)
        elif lag.queue is not None:
            self._queue(lag, lag.queue, entry, packet)

    def sent_it(self, log: FollowedLog, entry: Entry, packet: Packet, ack: OwnAck) -> None:
        """The next entry of a log is this connection's own: send the ack in its place, if it asked
        for one, unless this device is behind there."""
        if ack.ack_id is None:
            self.receive(log, entry, packet)
            return
        lag = self._lag_at(log, entry) if self.lags else None
        if lag is not None or not ack.is_published:
            self._wait_with(lag, entry, packet, ack)
            return
        if not comes_instead(entry):
            self.socket.emit(packet)
        self.socket.ack(ack.ack_id, ack_of_entry(entry))

    def place_ack(self, entry: Entry, ack: OwnAck) -> None:
        """Send the ack of an entry that has gone out before: now, or when it is its turn in what
        this device is still to be sent."""
        lag = self.lags.get(entry.conv) if self.log_of(entry.conv) is not None else None
        if lag is not None and entry.seq > lag.position:
            lag.keep_ack(entry, ack)
        else:
            ack.entry = entry
            self._answer((ack,))

    def _lag_at(self, log: FollowedLog, entry: Entry) -> Lag | None:
        """Where it is behind, if it is. A device whose join could not ask for this log skips to
        right before the live entry, and is live."""
        lag = self.lags.get(log.conv)
        if lag is None or not lag.skip_only:
            return lag
        n = entry.n - (entry.kind == MESSAGE)
        self.skip(log, lag, entry.seq - 1, n, more=True)
        self.live(log, lag)
        return None

    def read_on(self, log: FollowedLog, entry: Entry) -> None:
        """The next entry of a log is not for its user as it comes by: from there on, this device is
        sent what its backlog reads."""
        lag = self._lag_at(log, entry) if self.lags else None
        self._read_from_log(lag or self.lag_behind(log.conv, Lag(entry.seq - 1)))

    # Waiting for the bus

    def _wait_with(self, lag: Lag | None, entry: Entry, packet: Packet | None, ack: OwnAck) -> None:
        """Keep an ack, and in its log all that comes after it."""
        if lag is None:
            lag = self.lag_behind(entry.conv, Lag(entry.seq - 1))
            lag.queue = deque()
        lag.keep_ack(entry, ack)
        if lag.queue is not None:
            self._queue(lag, lag.queue, entry, packet)

    def _queue(
        self,
        lag: Lag,
        queue: deque[tuple[Entry, Packet | None]],
        entry: Entry,
        packet: Packet | None,
    ) -> None:
        queue.append((entry, packet))
        if len(queue) > self._backlog.settings.queued_entries:
            self._read_from_log(lag)

    def _read_from_log(self, lag: Lag) -> None:
        lag.queue = None
        self._backlog.wake(self)

    def go_on_after(self, ack: OwnAck, entry: Entry) -> None:
        """The bus has answered for an own entry whose ack has its place here."""
        lag = self.lags.get(entry.conv)
        if ack.is_due:
            self._answer((ack,))
        elif lag is not None:
            self._go_on(lag, entry.conv)

    def withdraw(self, ack: OwnAck, entry: Entry) -> None:
        """The append was refused, but its entry has come by (by another connection, say): it is
        sent as anybody's, without the ack."""
        lag = self.lags.get(entry.conv)
        if lag is not None:
            lag.drop_ack(entry, ack)
            self._go_on(lag, entry.conv)

    def _go_on(self, lag: Lag, conv: ConvID) -> None:
        queue = lag.queue
        if queue is None:
            lag.look_again()
            return
        while queue and not lag.holds_back(queue[0][0].seq):
            self.send(*queue.popleft(), lag)
        log = self.log_of(conv)
        if not queue and log is not None:
            self.live(log, lag)

    def delivered_elsewhere(self, conv: ConvID, seq: Seq) -> None:
        """Another device of the user has all of that log up to `seq`."""

    # Backlog

    def log_of(self, conv: ConvID) -> FollowedLog | None:
        """The log of that id that this device is being sent."""
        log = self.user.logs.get(conv)
        return self.past.get(conv) if log is None and self.past else log

    def newest_first(self, convs: Iterable[ConvID]) -> list[FollowedLog]:
        """The logs of these ids that it is behind in, the one with the newest entry first."""
        logs = [self.log_of(conv) for conv in convs if conv in self.lags]
        found = [log for log in logs if log is not None]
        found.sort(key=attrgetter("at"), reverse=True)
        return found

    def is_behind(self, log: FollowedLog, lag: Lag) -> bool:
        """Whether `lag` still says where this device is in that log."""
        return (
            self.lags.get(log.conv) is lag
            and self.log_of(log.conv) is log
            and lag.is_for_backlog
            and not self.socket.closed
        )

    async def in_its_form(self, entry: Entry) -> Packet | None:
        """An entry of a backlog as this connection understands it; None: it is left out."""
        return entry_packet(entry)

    def send(self, entry: Entry, packet: Packet | None, lag: Lag) -> None:
        """The next entry of what it is behind in, and the acks that belong there."""
        lag.position = entry.seq
        acks = lag.take_acks(entry.seq) if lag.acks else ()
        if packet is not None and not (acks and comes_instead(entry)):
            self.socket.emit(packet)
        if acks:
            self._answer(acks)

    def skip(self, log: FollowedLog, lag: Lag, seq: Seq, n: int, *, more: bool) -> None:
        """Move a position to `seq`; `more`: what is passed over can be had by REST.

        Acks of what is passed over have their place here.
        """
        if lag.position != seq:
            lag.position = seq
            more = more and not is_user_log(log.conv)
            self.socket.emit(skip_packet(log.conv, seq, n, more=more))
        self._answer_passed(lag, seq)

    def live(self, log: FollowedLog, lag: Lag) -> None:
        """Nothing is left of a log's backlog; acks of what was passed over have no other place."""
        if self.lags.get(log.conv) is lag:
            del self.lags[log.conv]
            if not self.lags:
                self.lags = NOTHING  # without the room they took: it is seldom behind again
            if self.past and self.past.pop(log.conv, None) is log:
                self._note_end(log.conv, log.last)
        self._answer_passed(lag, None)

    def _answer_passed(self, lag: Lag, up_to: Seq | None) -> None:
        if not lag.acks:
            return
        for seq in sorted(seq for seq in lag.acks if up_to is None or seq <= up_to):
            self._answer(lag.take_acks(seq))

    def _answer(self, acks: Sequence[OwnAck]) -> None:
        """All that comes before these acks has been sent; they go when the bus has answered."""
        for ack in acks:
            ack.is_due = True
            if ack.is_published and ack.ack_id is not None and ack.entry is not None:
                self.socket.ack(ack.ack_id, ack_of_entry(ack.entry))

    # Groups

    def end(self, conv: ConvID, end: Head) -> None:
        """Its user leaves a group by the entry at `end`: what it lacks up to there still comes."""
        lag = self.lags.get(conv)
        if lag is not None:
            lag.begun += 1
            self._send_rest_of(followed_log(conv, end))
        else:
            self._note_end(conv, end.last)

    def come_in(self, log: FollowedLog, since: Seq) -> None:
        """Its user comes into a log by the entry `since`, the next one, or one that was not passed
        on.

        Its backlog says what of all before that is skipped, and what is for it: the rest of an
        earlier time in it, or with open history the newest of all.
        """
        if self.past:
            self.past.pop(log.conv, None)
        self._begin_in(log, since)

    def come_and_go(self, conv: ConvID, end: Head, since: Seq) -> None:
        """Its user was in a log from the entry `since` to the one at `end`, neither of which was
        passed on: what it has not been sent of that still comes."""
        log = followed_log(conv, end)
        self._send_rest_of(log)
        self._begin_in(log, since)

    def _begin_in(self, log: FollowedLog, since: Seq) -> None:
        """Begin a log that its user comes into. Where it is behind already, it stays behind, and
        what its user may see is read again. While further cursors are to come, one may name it."""
        conv = log.conv
        lag = self.lags.get(conv)
        if lag is not None:
            lag.queue = None
            lag.begun += 1
        elif self.awaits_more and not (self._ended and conv in self._ended):
            self.lag_behind(conv, Lag(0, waiting=True))
        else:
            self.fall_behind(log, self._take_position(conv, since), since - 1)

    def _send_rest_of(self, log: FollowedLog) -> None:
        """Of a group that its user has left."""
        self.past = self.past or {}
        self.past[log.conv] = log

    def _note_end(self, conv: ConvID, seq: Seq) -> None:
        self._ended = self._ended or {}
        self._ended[conv] = seq

    def _take_position(self, conv: ConvID, since: Seq) -> Seq:
        """Where it begins in a log that its user comes into by the entry `since`: where it has been
        sent all of an earlier time in it, else at its start."""
        return self._ended.pop(conv, 0) if self._ended else 0

    def fall_behind(self, log: FollowedLog, position: Seq, before: Seq) -> None:
        """It lacks what comes after `position`. If that is too much, the oldest is skipped, but
        nothing that comes after `before`."""
        if position < log.last and log.conv not in self.lags:
            self.lag_behind(log.conv, Lag(position)).end = before

    def lag_behind(self, conv: ConvID, lag: Lag) -> Lag:
        """From now on `lag` says where this device is in a log."""
        self.lags = self.lags or {}
        self.lags[conv] = lag
        return lag

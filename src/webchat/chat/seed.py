"""A joined connection of the seed's form: it names no cursors and knows no `Seq`.

Its place in a conversation is the user's delivered position. Messages are confirmed by their
`delivery`; all else is confirmed by being handed over or passed over, once everything before it is
(docs/protocol.md, section 2, "Seed's form").
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from webchat.chat.acks import OwnAck, comes_instead
from webchat.chat.device import Device
from webchat.chat.followed import FollowedLog, User
from webchat.chat.lag import Lag
from webchat.chat.packets import LISTED_MEMBERS, ack_of_entry, entry_packet, notify_packet
from webchat.model import MESSAGE, ConvID, Entry, Seq, Uid, is_group, is_user_log
from webchat.ports.members import Members
from webchat.protocol.socketio import Packet
from webchat.service.membership import CREATE, DEPART, JOIN, REMOVE, coming_in
from webchat.service.receipts import Receipts
from webchat.session.handler import Socket

if TYPE_CHECKING:
    from webchat.chat.backlog import Backlog

_REMEMBERED_MESSAGES: Final = 1_000
_UNCONFIRMED_SPANS: Final = 1_000
"""Of one conversation; of a client that confirms nothing the last one just grows."""


class SeedDevice(Device):
    """One connection of the seed's form, which came at `came_s`.

    `_last_sent`: the last entry of each group that this connection was sent, `_changed`: the last
    that says who is in it. `_listed`: as of which entry it knows the list of a group. `_sent`: the
    `Seq` of messages by what receipts name them by. `_unconfirmed`: spans of messages that it was
    sent and has not confirmed, from the first to the last, exact but for the newest span.
    `_confirmed`: up to where the user has confirmed all of a log, here or on another device.
    `_windows`: groups that its page is sure to have a window of.
    """

    __slots__ = (
        "_changed", "_confirmed", "_last_sent", "_listed", "_members", "_receipts", "_sent",
        "_unconfirmed", "_windows", "came_s",
    )  # fmt: skip

    full = False

    def __init__(
        self,
        socket: Socket,
        user: User,
        backlog: Backlog,
        receipts: Receipts,
        members: Members,
        came_s: float,
    ) -> None:
        super().__init__(socket, user, backlog)
        self.came_s = came_s
        self._receipts = receipts
        self._members = members
        self._sent: OrderedDict[tuple[ConvID, Uid, str], Seq] = OrderedDict()
        self._unconfirmed: dict[ConvID, deque[list[Seq]]] = {}
        self._confirmed: dict[ConvID, Seq] = {}
        self._last_sent: dict[ConvID, Seq] = {}
        self._changed: dict[ConvID, Seq] = {}
        self._listed: dict[ConvID, Seq] = {}
        self._windows: set[ConvID] = set()

    # Where it begins

    def wait(self) -> None:
        """Live from now on, though where it begins is still to be read."""
        for conv in self.user.logs:
            if conv != self.user.own:
                self.lag_behind(conv, Lag(0, waiting=True))

    def begin(self, delivered: Mapping[ConvID, Seq]) -> None:
        """Start after what the user has had delivered, in every conversation; in most that is
        all."""
        for conv, lag in list(self.lags.items()):
            if lag.waiting:
                lag.waiting = False
                lag.position = max(delivered.get(conv, 0), self._confirmed.get(conv, 0))
                lag.look_again()
                log = self.log_of(conv)
                if log is not None and lag.position >= log.last:
                    self.live(log, lag)

    # What it gets

    def receive(self, log: FollowedLog, entry: Entry, packet: Packet) -> None:
        """An entry that is next in its log."""
        lag = self._lag_for(log, entry)
        mine = packet if self._is_for_it(entry) else None
        if lag is None:
            self._hand_over(entry, mine)
        elif lag.queue is not None:
            self._queue(lag, lag.queue, entry, mine)

    def _lag_for(self, log: FollowedLog, entry: Entry) -> Lag | None:
        """Where it is behind, if so. A list has to be read, so an entry that comes as one makes it
        fall behind."""
        lag = self.lags.get(log.conv)
        if (lag is None or lag.queue is not None) and self._is_list(entry, live=True):
            self.fall_behind(log, entry.seq - 1, log.last)
            lag = self.lags[log.conv]
            self._read_from_log(lag)
        return lag

    def sent_it(self, log: FollowedLog, entry: Entry, packet: Packet, ack: OwnAck) -> None:
        """An own entry, which this form leaves out; but for a `join`, which comes to everybody."""
        if entry.kind == JOIN:
            lag, mine = self._lag_for(log, entry), packet
        else:
            lag, mine = self.lags.get(log.conv), None
            self._note_window(entry)
        if ack.ack_id is not None and not (lag is None and ack.is_published):
            self._wait_with(lag, entry, mine, ack)
        elif lag is None:
            self._hand_over(entry, mine)
            if ack.ack_id is not None:
                self.socket.ack(ack.ack_id, ack_of_entry(entry))
        elif lag.queue is not None:
            self._queue(lag, lag.queue, entry, mine)

    def _note_window(self, entry: Entry) -> None:
        if is_group(entry.conv):
            self._windows.add(entry.conv)
            if entry.kind == CREATE:
                self._listed[entry.conv] = entry.seq

    async def in_its_form(self, entry: Entry) -> Packet | None:
        """An entry of a backlog as this connection understands it; None: it is left out."""
        if self._is_list(entry, live=False):
            uids, count = await self._members.at(entry.conv, entry.seq, LISTED_MEMBERS)
            self._listed[entry.conv] = entry.seq
            return notify_packet(entry.conv, uids, count, entry.seq, entry.at)
        return entry_packet(entry) if self._is_for_it(entry) else None

    def send(self, entry: Entry, packet: Packet | None, lag: Lag) -> None:
        """The next entry of what it is behind in."""
        lag.position = entry.seq
        acks = lag.take_acks(entry.seq)
        self._hand_over(entry, None if acks and comes_instead(entry) else packet)
        self._answer(acks)

    def skip(self, log: FollowedLog, lag: Lag, seq: Seq, n: int, *, more: bool) -> None:
        """This form knows no skip: it is just further on."""
        lag.position = max(lag.position, seq)

    async def show_list(self, conv: ConvID, since: Seq, at: int) -> None:
        """Send the list of a group, into which its user came by the entry `since`: as of what it
        was sent of that last, so that the changes which come later go on from there."""
        while True:
            seq = max(await self._is_at(conv), since)
            uids, count = await self._members.at(conv, seq, LISTED_MEMBERS)
            if self._changed.get(conv, 0) <= seq:  # else one came while the list was read
                break
        self._listed[conv] = seq
        self.socket.emit(notify_packet(conv, uids, count, seq, at))

    async def _is_at(self, conv: ConvID) -> Seq:
        """The last entry of a group that it was sent; where there is none, the one that it begins
        after."""
        if conv in self.lags:
            await self.lags[conv].until_begun()
        if conv in self._last_sent:
            return self._last_sent[conv]
        lag, log = self.lags.get(conv), self.log_of(conv)
        return lag.position if lag is not None else log.last if log is not None else 0

    def _is_list(self, entry: Entry, *, live: bool) -> bool:
        """Whether an entry comes as `notify`: what brings the user in, who was put out, and over
        Engine.IO 3 any change that its page may not be able to take."""
        if entry.kind not in (CREATE, JOIN, DEPART, REMOVE) or not is_group(entry.conv):
            return False
        if self.user.uid in coming_in(entry) or entry.kind in (CREATE, REMOVE):
            return True
        return self.socket.request.engine == 3 and not (live and self._page_can_take(entry))

    def _page_can_take(self, entry: Entry) -> bool:
        """Whether the seed's page takes the change of a group as it is. A list as of the entry, or
        later, has it already. A page that has heard nothing of the group throws; served by
        polling, it then never polls again (by WebSocket it loses a line)."""
        if self._listed.get(entry.conv, 0) >= entry.seq:
            return False
        knows_the_group = entry.conv in self._listed or entry.conv in self._windows
        return knows_the_group or not self.socket.polling

    def _is_for_it(self, entry: Entry) -> bool:
        if entry.kind == MESSAGE:
            return entry.sender != self.user.uid
        return entry.kind in (JOIN, DEPART)

    def _hand_over(self, entry: Entry, packet: Packet | None) -> None:
        if packet is None:
            self._pass_over(entry)
            return
        if is_group(entry.conv):
            self._last_sent[entry.conv] = entry.seq
            if entry.kind == MESSAGE:
                self._windows.add(entry.conv)
            else:
                self._changed[entry.conv] = entry.seq
        self.socket.emit(packet)
        if entry.kind == MESSAGE:
            self._await_delivery(entry)
        else:
            self._pass_over(entry)

    def _take_position(self, conv: ConvID, since: Seq) -> Seq:
        """Right there: it is sent nothing of what came before."""
        return since - 1

    # What it confirms

    def _await_delivery(self, entry: Entry) -> None:
        self._sent[entry.conv, entry.sender, entry.msg_id] = entry.seq
        if len(self._sent) > _REMEMBERED_MESSAGES:
            self._sent.popitem(last=False)
        if entry.seq <= self._confirmed.get(entry.conv, 0):
            return
        spans = self._unconfirmed.setdefault(entry.conv, deque())
        if spans and (spans[-1][1] == entry.seq - 1 or len(spans) == _UNCONFIRMED_SPANS):
            spans[-1][1] = entry.seq
        else:
            spans.append([entry.seq, entry.seq])

    def _pass_over(self, entry: Entry) -> None:
        if entry.conv not in self._unconfirmed and not is_user_log(entry.conv):
            self._receipts.move(self.user.uid, entry.conv, source=self, named=(), run_on=entry.seq)

    def sent(self, conv: ConvID, author: Uid, msg_id: str) -> Seq | None:
        """What this connection was sent under that MsgID."""
        return self._sent.get((conv, author, msg_id))

    def confirmed(self, conv: ConvID, seq: Seq) -> Seq:
        """A receipt came up to `seq`: up to where everything is confirmed by that.

        It may be of what an earlier connection was sent, and this one was not yet.
        """
        lag, log = self.lags.get(conv), self.user.logs.get(conv)
        if lag is not None and log is not None and lag.is_for_backlog and lag.position < seq:
            lag.position = min(seq, log.last)
            self._answer_passed(lag, lag.position)
        return self._confirm(conv, seq)

    def delivered_elsewhere(self, conv: ConvID, seq: Seq) -> None:
        """What was handed over after that no longer waits for it."""
        was_waiting = conv in self._unconfirmed
        run_on = self._confirm(conv, seq)
        if was_waiting and run_on > seq:
            self._receipts.move(self.user.uid, conv, source=self, named=(), run_on=run_on)

    def _confirm(self, conv: ConvID, seq: Seq) -> Seq:
        lag, log = self.lags.get(conv), self.user.logs.get(conv)
        known = seq if log is None else min(seq, log.last)
        self._confirmed[conv] = max(known, self._confirmed.get(conv, 0))
        spans = self._unconfirmed.get(conv)
        while spans and spans[0][1] <= seq:
            spans.popleft()
        if spans:
            span = spans[0]
            span[0] = max(span[0], seq + 1)
            return span[0] - 1
        self._unconfirmed.pop(conv, None)
        handed = lag.position if lag is not None else log.last if log is not None else 0
        return max(seq, handed)

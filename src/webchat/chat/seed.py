"""A joined connection of the seed's form: it names no cursors and knows no `Seq`.

Its place in a conversation is the user's delivered position. Messages are confirmed by their
`delivery`; all else is confirmed by being handed over or passed over, once everything before it is
(docs/protocol.md, section 2, "Seed's form").
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Mapping
from typing import Final

from webchat.chat.device import Device, Lag
from webchat.chat.hub import HeldLog, User
from webchat.chat.packets import ack_of_entry
from webchat.model import ConvID, Entry, Seq, Uid, user_log
from webchat.protocol.socketio import Packet
from webchat.service.receipts import Receipts
from webchat.session.handler import Socket

_REMEMBERED_MESSAGES: Final = 1_000


class SeedDevice(Device):
    """One connection of the seed's form."""

    __slots__ = ("_receipts", "_sent", "_unconfirmed")

    full = False

    def __init__(self, socket: Socket, user: User, receipts: Receipts) -> None:
        super().__init__(socket, user)
        self._receipts = receipts
        self._sent: OrderedDict[tuple[Uid, str], tuple[ConvID, Seq]] = OrderedDict()
        self._unconfirmed: dict[ConvID, deque[Seq]] = {}

    def wait(self) -> None:
        """Live from now on, though where it begins is still to be read."""
        for conv in self.user.logs:
            if conv != user_log(self.user.uid):
                self.lags[conv] = Lag(0, waiting=True)

    def begin(self, delivered: Mapping[ConvID, Seq]) -> None:
        """Start after what the user has had delivered, in every conversation."""
        for conv, lag in list(self.lags.items()):
            if lag.waiting:
                lag.waiting = False
                lag.position = delivered.get(conv, 0)

    def receive(self, held: HeldLog, entry: Entry, packet: Packet) -> None:
        """An entry that is next in its log."""
        if held.conv not in self.lags:
            self._hand_over(entry, packet)

    def place_ack(self, held: HeldLog | None, entry: Entry, ack_id: int) -> None:
        """The ack of an own entry, in that entry's place, which this form leaves out."""
        lag = self.lags.get(entry.conv)
        if lag is not None and entry.seq > lag.position:
            lag.keep_ack(entry, ack_id)
            return
        self.socket.ack(ack_id, ack_of_entry(entry))
        if lag is None and held is not None and entry.seq == held.last:
            self._pass_over(entry)

    def send(self, entry: Entry, packet: Packet, lag: Lag) -> None:
        """The next entry of a backlog."""
        lag.position = entry.seq
        self._answer(lag.acks.pop(entry.seq, []))
        self._hand_over(entry, packet)

    def skip(self, held: HeldLog, lag: Lag, seq: Seq, n: int) -> None:
        """This form knows no skip: it is just further on."""
        lag.position = max(lag.position, seq)

    def _hand_over(self, entry: Entry, packet: Packet) -> None:
        if entry.kind != "message" or entry.sender == self.user.uid:
            self._pass_over(entry)
            return
        self._remember(entry)
        self.socket.emit(packet)

    def _remember(self, entry: Entry) -> None:
        self._sent[entry.sender, entry.msg_id] = (entry.conv, entry.seq)
        if len(self._sent) > _REMEMBERED_MESSAGES:
            self._sent.popitem(last=False)
        self._unconfirmed.setdefault(entry.conv, deque()).append(entry.seq)

    def _pass_over(self, entry: Entry) -> None:
        if entry.conv not in self._unconfirmed and not entry.conv.startswith("user:"):
            self._confirm(entry.conv, entry.seq)

    def _confirm(self, conv: ConvID, seq: Seq) -> None:
        self._receipts.move(self.user.uid, conv, delivered=seq, source=self, named=())

    def sent(self, author: Uid, msg_id: str) -> tuple[ConvID, Seq] | None:
        """What this connection was sent under that MsgID."""
        return self._sent.get((author, msg_id))

    def confirmed(self, conv: ConvID, seq: Seq) -> Seq:
        """A `delivery` came up to `seq`: up to where everything is confirmed by that."""
        waiting = self._unconfirmed.get(conv)
        while waiting and waiting[0] <= seq:
            waiting.popleft()
        if waiting:
            return max(seq, waiting[0] - 1)
        self._unconfirmed.pop(conv, None)
        lag = self.lags.get(conv)
        held = self.user.logs.get(conv)
        handed = lag.position if lag is not None else held.last if held is not None else 0
        return max(seq, handed)

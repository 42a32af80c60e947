"""A connection as the chat sees it, before and after `join`."""

from __future__ import annotations

import asyncio

import msgspec
import structlog

from webchat.chat.device import Device
from webchat.chat.gate import Gate
from webchat.chat.packets import refusal_ack, refusal_packet
from webchat.chat.rates import Bucket
from webchat.chat.stats import Stats
from webchat.errors import WebchatError
from webchat.model import ConvID, Uid
from webchat.ports.clock import Timer
from webchat.protocol.envelope import Envelope
from webchat.session.handler import Socket

_log = structlog.get_logger()


class Client(Bucket):
    """State of one connection. `uid`: whom its token names, in open mode whom it said, if anybody;
    `login_id`: of the token. `gate`: while something it sent is being looked up, what it sent
    after that waits here, in order. `again`: how many of its messages were refused since members
    changed, and are decided anew, in turn. `settling`: set when one of what it is having appended
    has come to an end, while something waits for that. It is the bucket of its own rate;
    `refusals`: that of what is refused for nothing but its coming, None: nothing was yet.
    """

    __slots__ = (
        "_stats", "again", "device", "gate", "login_id", "more_timer", "refusals", "settling",
        "socket", "uid",
    )  # fmt: skip

    def __init__(self, socket: Socket, uid: Uid | None, login_id: str, stats: Stats) -> None:
        super().__init__()
        self.socket = socket
        self.uid = uid
        self.login_id = login_id
        self.device: Device | None = None
        self.gate: Gate | None = None
        self.more_timer: Timer | None = None
        self.refusals: Bucket | None = None
        self.again = 0
        self.settling: asyncio.Event | None = None
        self._stats = stats

    async def settled(self, conv: ConvID) -> None:
        """Wait until all that it is having appended to `conv` is stored or refused. One at a time
        waits."""
        while self.again or (self.device is not None and self.device.is_appending(conv)):
            self.settling = asyncio.Event()
            await self.settling.wait()
        self.settling = None

    def refuse(self, ack_id: int | None, error: WebchatError, msg_id: str | None) -> None:
        """Say why not: as the ack if one was asked for, else as an event `error`. It is counted."""
        self._stats.refused += 1
        _log.debug("refused", uid=self.uid, code=error.code.wire, why=error.message)
        if ack_id is not None:
            self.socket.ack(ack_id, refusal_ack(error, msg_id))
        else:
            self.socket.emit(refusal_packet(error, msg_id))

    def answer(self, ack_id: int | None, args: bytes) -> None:
        """Answer an event if it asked for that."""
        if ack_id is not None:
            self.socket.ack(ack_id, args)

    def stop_waiting_for_more(self) -> None:
        """No timer for further cursors any more."""
        if self.more_timer is not None:
            self.more_timer.cancel()
            self.more_timer = None


class Act(msgspec.Struct, frozen=True):
    """What a joined connection wants done: any kind but messages, and receipts as most are.
    `ack_id`: None where it asked for no ack."""

    client: Client
    device: Device
    envelope: Envelope
    ack_id: int | None

    @property
    def uid(self) -> Uid:
        """Whose act it is."""
        return self.device.user.uid

    def answer(self, args: bytes) -> None:
        """Say what came of it, if that was asked for."""
        self.client.answer(self.ack_id, args)

    def refuse(self, error: WebchatError) -> None:
        """Say why not."""
        self.client.refuse(self.ack_id, error, self.envelope.msg_id)

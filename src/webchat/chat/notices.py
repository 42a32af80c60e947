"""News of receipts on their way to devices, here and elsewhere, or kept for the seed's form."""

from __future__ import annotations

import math

import msgspec

from webchat.chat.counted import Counted
from webchat.chat.keeping import Keeping
from webchat.chat.packets import (
    kept_packet,
    position_packet,
    receipt_packets,
    receipts_packet,
    seed_receipts,
)
from webchat.chat.roster import Roster
from webchat.chat.seed import SeedDevice
from webchat.chat.tools import Tools
from webchat.chat.topics import AGAIN, COUNTS, NOTICE, POSITION
from webchat.chat.unheard import Heard, Said, Told, Unheard, unnamed
from webchat.model import NO_POSITION, ConvID, Position, Seq, Uid, furthest, user_log
from webchat.protocol.socketio import Packet
from webchat.service.read_positions import Counts, ReceiptSettings
from webchat.service.telling import Notice

_encode = msgspec.json.Encoder().encode
_decode_notice = msgspec.json.Decoder(Notice).decode
_decode_position = msgspec.json.Decoder(tuple[ConvID, Seq, Seq, int]).decode


class Notices:
    """The ReceiptListener of the product, and what hears of other nodes' receipts."""

    def __init__(
        self,
        roster: Roster,
        keeping: Keeping,
        unheard: Unheard,
        said: Said,
        heard: Heard,
        tools: Tools,
        settings: ReceiptSettings,
    ) -> None:
        self._roster = roster
        self._bus = tools.bus
        self._positions = tools.store.positions
        self._keeping = keeping
        self._patience = tools.patience
        self._clock = tools.clock
        self._spawn = tools.spawn
        self._unheard = unheard
        self._said = said
        self._heard = heard
        self._counted = Counted(self._show_counts, tools.clock, settings.counts_interval_ms / 1000)

    def reader_moved(self, conv: ConvID, uid: Uid, position: Position, source: object) -> None:
        """The user's other devices hear where it is now; `source`: the one that did it."""
        self._show_position(conv, uid, position, source)
        if not self._bus.is_alone:
            self.publish_position(uid, conv, position)

    def publish_position(self, uid: Uid, conv: ConvID, position: Position) -> None:
        """The user's devices on other nodes hear where it is now."""

        def published(heard: int | Exception) -> None:
            if isinstance(heard, Exception):
                self._unheard.keep_position(uid, conv)
            else:
                self._said.note_position(uid, conv)

        self._bus.publish((user_log(uid),), POSITION + _position(conv, position), published)

    def publish_position_again(self, uid: Uid, conv: ConvID, position: Position) -> None:
        """They do if they did not before."""
        self._bus.publish((user_log(uid),), AGAIN + _position(conv, position))

    def _show_position(
        self, conv: ConvID, uid: Uid, position: Position, source: object = None
    ) -> None:
        user = self._roster.users.get(uid)
        if user is None:
            return
        if self._roster.snapshots:
            self._roster.overtake_snapshot(conv, uid)
        if conv in user.told:
            before = user.told[conv]
            if before.delivered > position.delivered or before.displayed > position.displayed:
                position = furthest(before, position)  # another node's overtook this one
        user.told = user.told or {}
        user.told[conv] = position
        if user.devices == (source,):
            return
        packet = position_packet(conv, position)
        for device in user.devices:
            if device is source:
                continue
            if device.full:
                device.socket.emit(packet)
            else:
                device.delivered_elsewhere(conv, position.delivered)

    def delivered_elsewhere(self, conv: ConvID, uid: Uid, position: Position) -> None:
        """An own message moved the user's position, which devices of the full form know by
        themselves."""
        for device in self._roster.devices_of(uid):
            device.delivered_elsewhere(conv, position.delivered)

    def say_position(self, conv: ConvID, uid: Uid) -> None:
        """An own message that moved nothing: devices that think so hear what holds."""
        self._spawn(self._say_position(conv, uid))

    async def _say_position(self, conv: ConvID, uid: Uid) -> None:
        positions = await self._patience.insist(
            lambda: self._positions.of_user(uid, [conv]), "a position", uid=uid
        )
        self.reader_moved(conv, uid, positions.get(conv, NO_POSITION), None)

    def hears_one_by_one(self, author: Uid) -> bool:
        """Whether it is here in the seed's form, may be on another node, or has it kept."""
        if not self._bus.is_alone:
            return True
        devices = self._roster.devices_of(author)
        return any(not device.full for device in devices) if devices else self._keeping.is_on

    def author_told(self, notice: Notice) -> None:
        """The author's devices hear of it; who is nowhere has it kept, in open mode."""
        told = Told(notice, self._show_notice(notice), self._clock.monotonic_s())
        if not self._bus.is_alone:
            self._publish(told, notice, is_news=True)
        elif not told.shown:
            self._keep(notice)

    def publish_again(self, told: Told, *, is_news: bool) -> None:
        """The author's devices on other nodes hear of it; those of the seed's form, if any may have
        heard it elsewhere, only if they were there by then, and their node did not hear it.
        `is_news`: the bus has not taken it so far."""
        notice = told.notice
        if told.shown or told.heard or not is_news:
            ago_s = self._clock.monotonic_s() - told.at_s
            notice = msgspec.structs.replace(notice, ago_s=ago_s)
        if not self._bus.is_alone:
            self._publish(told, notice, is_news=is_news)
        elif not told.shown:
            self._keep(notice)

    def _publish(self, told: Told, notice: Notice, *, is_news: bool) -> None:
        """If nobody hears it anywhere, it is kept."""

        def published(heard: int | Exception) -> None:
            if isinstance(heard, Exception):
                self._unheard.keep_told(told)
                return
            is_heard = told.heard or heard > 0
            is_for_nobody = not told.shown and not is_heard
            if is_for_nobody:
                self._keep(told.notice)
            if is_news:
                is_kept = is_for_nobody and self._keeping.is_on
                said = unnamed(told.notice) if is_kept else told.notice
                self._said.note_told(msgspec.structs.replace(told, notice=said, heard=is_heard))

        self._bus.publish((user_log(notice.author),), NOTICE + _encode(notice), published)

    def _keep(self, notice: Notice) -> None:
        if self._keeping.is_on and (envelopes := seed_receipts(notice, self._clock.now_ms())):
            self._keeping.keep(notice.author, envelopes)

    def _show_notice(self, notice: Notice) -> bool:
        """Whether the author is here. Of a group that it has left it hears up to its own end."""
        author = self._roster.users.get(notice.author)
        if author is None:
            return False
        if self._roster.snapshots and not notice.counted:
            self._roster.overtake_snapshot(notice.conv, notice.author)
        devices, end = author.devices, author.left.get(notice.conv)
        if end is not None:
            notice = _up_to(end, notice)
        packets: dict[bool, list[Packet]] = {}
        since_s = math.inf if notice.ago_s is None else self._clock.monotonic_s() - notice.ago_s
        for device in devices:
            if isinstance(device, SeedDevice) and device.came_s > since_s:
                continue
            if device.full not in packets:
                packets[device.full] = self._in_form(notice, full=device.full)
            for packet in packets[device.full]:
                device.socket.emit(packet)
        return bool(devices)

    def _in_form(self, notice: Notice, *, full: bool) -> list[Packet]:
        now_ms = self._clock.now_ms()
        if not full:
            return [kept_packet(envelope) for envelope in seed_receipts(notice, now_ms)]
        return [] if notice.counted else receipt_packets(notice, now_ms)

    def author_counted(self, counts: Counts) -> None:
        """The author's devices hear how many have its messages, in a large group."""
        self.show_counts(counts)
        self._publish_counts(counts)

    def _publish_counts(self, counts: Counts) -> None:
        if self._bus.is_alone:
            return

        def published(heard: int | Exception) -> None:
            if isinstance(heard, Exception):
                self._unheard.keep_counts(counts)
            else:
                self._said.note_counts(counts)

        self._bus.publish((user_log(counts.author),), COUNTS + _encode(counts), published)

    def show_counts(self, counts: Counts) -> bool:
        """The author's devices here hear of them, before long; whether there are any."""
        is_here = any(device.full for device in self._roster.devices_of(counts.author))
        if is_here:
            self._counted.add(counts)
        return is_here

    def _show_counts(self, counts: Counts) -> None:
        packet = receipts_packet(counts.conv, counts.rows)
        for device in self._roster.devices_of(counts.author):
            if device.full:
                device.socket.emit(packet)

    def heard_notice(self, payload: bytes) -> None:
        """Another node told an author's. Raises msgspec.DecodeError.

        That node counts on this one, also where the author has just gone or is still arriving,
        unless it was shown elsewhere before. Said again without names it was kept meanwhile. What
        comes a second time without being said again is a publish whose answer was lost.
        """
        notice = _decode_notice(payload)
        is_again = notice.ago_s is not None
        if self._heard.note(notice):
            notice = unnamed(notice)
        elif not (notice.newly_delivered or notice.newly_displayed):
            self._keeping.heard(notice.author)
        if not self._show_notice(notice) and not is_again:
            self._keep(notice)

    def heard_position(self, uid: Uid, payload: bytes) -> None:
        """Another node moved a user's position. Raises msgspec.DecodeError."""
        conv, *position = _decode_position(payload)
        self._show_position(conv, uid, Position(*position))

    def heard_position_again(self, uid: Uid, payload: bytes) -> None:
        """Another node says one again, which is not shown twice. Raises msgspec.DecodeError."""
        conv, *said = _decode_position(payload)
        position, user = Position(*said), self._roster.users.get(uid)
        before = NO_POSITION if user is None else user.told.get(conv, NO_POSITION)
        if furthest(before, position) != before:
            self._show_position(conv, uid, position)


def _position(conv: ConvID, position: Position) -> bytes:
    return _encode((conv, position.delivered, position.displayed, position.n))


def _up_to(end: Seq, notice: Notice) -> Notice:
    """To somebody whose part of the log ends there; messages of its own come before that."""
    delivered, displayed = min(notice.delivered, end), min(notice.displayed, end)
    return msgspec.structs.replace(notice, delivered=delivered, displayed=displayed)

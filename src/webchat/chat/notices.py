"""News of receipts on their way to devices, here and elsewhere, or kept for the seed's form."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from webchat.chat.keeping import Keeping
from webchat.chat.packets import (
    kept_packet,
    position_packet,
    receipt_packets,
    receipts_packet,
    seed_receipts,
)
from webchat.chat.roster import Roster
from webchat.chat.tools import Tools
from webchat.chat.topics import BACK, COUNTS, NODES, NOTICE, POSITION
from webchat.chat.unheard import UNNOTICED_S, Said, Unheard, undisplayed, unnamed
from webchat.model import NO_POSITION, ConvID, Position, Seq, Uid, user_log
from webchat.protocol.socketio import Packet
from webchat.service.profiles import Profiles
from webchat.service.read_positions import Counts, ReadPositions
from webchat.service.telling import Notice

_encode = msgspec.json.Encoder().encode
_decode_counts = msgspec.json.Decoder(Counts).decode
_decode_notice = msgspec.json.Decoder(Notice).decode
_decode_back = msgspec.json.Decoder(tuple[float, bool]).decode
_decode_position = msgspec.json.Decoder(tuple[ConvID, Seq, Seq, int]).decode


class Notices:
    """The ReceiptListener of the product, and what hears of other nodes' receipts."""

    def __init__(
        self,
        roster: Roster,
        readers: ReadPositions,
        profiles: Profiles,
        keeping: Keeping,
        unheard: Unheard,
        said: Said,
        tools: Tools,
    ) -> None:
        self._roster = roster
        self._readers = readers
        self._profiles = profiles
        self._bus = tools.bus
        self._positions = tools.store.positions
        self._keeping = keeping
        self._patience = tools.patience
        self._clock = tools.clock
        self._spawn = tools.spawn
        self._unheard = unheard
        self._said = said
        self._lost_s = self._back_s = -math.inf

    def reader_moved(self, conv: ConvID, uid: Uid, position: Position, source: object) -> None:
        """The user's other devices hear where it is now; `source`: the one that did it."""
        self._show_position(conv, uid, position, source)
        if not self._bus.is_alone:
            self._publish_position(uid, conv, position)

    def _publish_position(self, uid: Uid, conv: ConvID, position: Position) -> None:
        def published(heard: int | Exception) -> None:
            if isinstance(heard, Exception):
                self._unheard.keep_position(uid, conv, position)

        said = _encode((conv, position.delivered, position.displayed, position.n))
        self._bus.publish((user_log(uid),), POSITION + said, published)

    def _show_position(
        self, conv: ConvID, uid: Uid, position: Position, source: object = None
    ) -> None:
        user = self._roster.users.get(uid)
        if user is None:
            return
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
        self._publish_notice(notice, shown=self._show_notice(notice))

    def _publish_notice(self, notice: Notice, *, shown: bool, is_news: bool = True) -> None:
        if self._bus.is_alone:
            if not shown:
                self._keep(notice)
            return

        def published(heard: int | Exception) -> None:
            if isinstance(heard, Exception):
                self._unheard.keep_notice(notice, shown=shown)
                return
            is_for_nobody = not shown and heard == 0
            if is_for_nobody:
                self._keep(notice)
            if is_news:
                named = is_for_nobody and not self._keeping.is_on
                self._said.note_notice(notice if named else unnamed(notice), shown=shown)

        self._bus.publish((user_log(notice.author),), NOTICE + _encode(notice), published)

    def _keep(self, notice: Notice) -> None:
        if self._keeping.is_on and (envelopes := seed_receipts(notice, self._clock.now_ms())):
            self._keeping.keep(notice.author, envelopes)

    def _show_notice(self, notice: Notice) -> bool:
        devices = self._roster.devices_of(notice.author)
        packets: dict[bool, list[Packet]] = {}
        for device in devices:
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
        self._show_counts(counts)
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

    def _show_counts(self, counts: Counts) -> None:
        packet = receipts_packet(counts.conv, counts.rows)
        for device in self._roster.devices_of(counts.author):
            if device.full:
                device.socket.emit(packet)

    def heard_counts(self, payload: bytes) -> None:
        """Another node counted. Raises msgspec.DecodeError."""
        self._show_counts(_decode_counts(payload))

    def heard_notice(self, payload: bytes) -> None:
        """Another node told an author's. Raises msgspec.DecodeError.

        That node counts on this one, also where the author has just gone or is still arriving.
        """
        notice = _decode_notice(payload)
        if not self._show_notice(notice):
            self._keep(notice)

    def heard_position(self, uid: Uid, payload: bytes) -> None:
        """Another node moved a user's position. Raises msgspec.DecodeError."""
        conv, delivered, displayed, n = _decode_position(payload)
        self._show_position(conv, uid, Position(delivered, displayed, n))

    # After an outage of the bus

    def lost(self) -> None:
        """The bus is lost: what others say from now on is not heard here, and if it was back only
        just, neither is what they say again of the time before."""
        now_s = self._clock.monotonic_s()
        if self._back_s < now_s - UNNOTICED_S:
            self._lost_s = now_s

    def make_up(self) -> None:
        """The bus is back: publish what it did not take, and what it took last, which may have
        reached nobody; say for how long what others have said was not heard here."""
        for (uid, conv), position in self._unheard.take_positions().items():
            self._publish_position(uid, conv, position)
        self._publish_all(self._unheard)
        self._back_s = now_s = self._clock.monotonic_s()
        self._said.say_again(now_s - self._lost_s, self._say_again)
        self._say_back(is_again=False)

    def _say_back(self, *, is_again: bool) -> None:
        since_s = self._clock.monotonic_s() - self._lost_s
        self._bus.publish((NODES,), BACK + _encode((since_s, is_again)))

    def heard_back(self, payload: bytes) -> None:
        """Another node is back on the bus, and has not heard what this one has said meanwhile,
        perhaps not even that this one is back. Raises msgspec.DecodeError."""
        out_s, is_again = _decode_back(payload) if payload else (0.0, True)
        if not is_again and self._back_s >= self._clock.monotonic_s() - out_s - UNNOTICED_S:
            self._say_back(is_again=True)
        self._said.say_again(out_s, self._say_again)

    def _say_again(self, news: Unheard) -> None:
        self._publish_all(news, is_news=False)

    def _publish_all(self, news: Unheard, *, is_news: bool = True) -> None:
        for (conv, author), seqs in news.take_counted().items():
            self._readers.count_again(conv, author, seqs)
        if notices := news.take_notices():
            self._spawn(self._publish_notices(notices, is_news=is_news))

    async def _publish_notices(
        self, notices: Sequence[tuple[Notice, bool]], *, is_news: bool
    ) -> None:
        """As it is by now: somebody may have turned display receipts off since they were told."""
        displays = [notice for notice, _ in notices if notice.displayed or notice.newly_displayed]
        uids = list({uid for notice in displays for uid in (notice.author, notice.reader)})
        hiding = await self._patience.insist(
            lambda: self._profiles.hiding(uids), "who hides displays"
        )
        for notice, shown in notices:
            is_hidden = notice.author in hiding or notice.reader in hiding
            told = undisplayed(notice) if is_hidden else notice
            self._publish_notice(told, shown=shown, is_news=is_news)

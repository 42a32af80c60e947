"""What was said of receipts while the bus was away, here or at another node, is said again.

Source: docs/architecture.md, "Many nodes".
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

import msgspec

from webchat.chat.notices import Notices
from webchat.chat.settings import RepairSettings
from webchat.chat.tools import Tools
from webchat.chat.topics import BACK, NODES
from webchat.chat.unheard import Said, Told, Unheard, undisplayed
from webchat.model import ConvID, Uid
from webchat.service.profiles import Profiles
from webchat.service.read_positions import Counts, ReadPositions

_encode = msgspec.json.Encoder().encode
_decode_counts = msgspec.json.Decoder(Counts).decode
_decode_back = msgspec.json.Decoder(tuple[float, bool]).decode

_AT_ONCE: Final = 200
"""So many notices are published in one turn of the loop, then others have theirs."""


class Repeating:
    """What notices leave in `unheard` and `said` is published again; positions and counts are read
    anew."""

    def __init__(
        self,
        notices: Notices,
        readers: ReadPositions,
        profiles: Profiles,
        unheard: Unheard,
        said: Said,
        tools: Tools,
        settings: RepairSettings,
    ) -> None:
        self._notices = notices
        self._readers = readers
        self._profiles = profiles
        self._unheard = unheard
        self._said = said
        self._positions = tools.store.positions
        self._bus = tools.bus
        self._patience = tools.patience
        self._clock = tools.clock
        self._spawn = tools.spawn
        self._unnoticed_s = settings.unnoticed_s
        self._lost_s = self._back_s = -math.inf

    def lost(self, deaf_s: float) -> None:
        """The bus is lost: what others say is not heard here, for `deaf_s` already, and if it was
        back only just, neither is what they say again of the time before."""
        self._unheard.lost()
        lost_s = self._clock.monotonic_s() - deaf_s
        if self._back_s < lost_s - self._unnoticed_s:
            self._lost_s = lost_s

    def make_up(self) -> None:
        """The bus is back: publish what it did not take, and what it took last, which may have
        reached nobody; say for how long what others have said was not heard here."""
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
        since_s = self._clock.monotonic_s() - out_s - self._unnoticed_s
        if not is_again and self._back_s >= since_s:
            self._say_back(is_again=True)
        self._said.say_again(out_s, self._say_again)

    def heard_counts(self, payload: bytes) -> None:
        """Another node counted; if that crossed another's on its way, it is counted again. Raises
        msgspec.DecodeError."""
        counts = _decode_counts(payload)
        if self._notices.show_counts(counts):
            self._readers.heard(counts)

    def _say_again(self, news: Unheard) -> None:
        self._publish_all(news, is_news=False)

    def _publish_all(self, news: Unheard, *, is_news: bool = True) -> None:
        for (conv, author), seqs in news.take_counted().items():
            self._readers.count_again(conv, author, seqs)
        if positions := news.take_positions():
            self._spawn(self._publish_positions(positions, is_news=is_news))
        if told := news.take_told():
            self._spawn(self._publish_told(told, is_news=is_news))

    async def _publish_positions(
        self, places: Mapping[Uid, Sequence[ConvID]], *, is_news: bool
    ) -> None:
        """As the store has them: an own message may have moved them since, here or elsewhere."""
        notices = self._notices
        publish = notices.publish_position if is_news else notices.publish_position_again
        for uid, convs in places.items():
            read = partial(self._positions.of_user, uid, convs)
            positions = await self._patience.insist(read, "positions", uid=uid)
            for conv, position in positions.items():
                publish(uid, conv, position)

    async def _publish_told(self, told: Sequence[Told], *, is_news: bool) -> None:
        """As it is by now: somebody may have turned display receipts off since they were told."""
        notices = [each.notice for each in told]
        displays = [notice for notice in notices if notice.displayed or notice.newly_displayed]
        uids = list({uid for notice in displays for uid in (notice.author, notice.reader)})
        hiding = await self._patience.insist(
            lambda: self._profiles.hiding(uids), "who hides displays"
        )
        for number, (each, notice) in enumerate(zip(told, notices, strict=True), 1):
            is_hidden = notice.author in hiding or notice.reader in hiding
            by_now = undisplayed(notice) if is_hidden else notice
            news = msgspec.structs.replace(each, notice=by_now)
            self._notices.publish_again(news, is_news=is_news)
            if number % _AT_ONCE == 0:
                await asyncio.sleep(0)

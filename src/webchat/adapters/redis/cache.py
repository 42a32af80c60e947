"""Profiles in Redis for all nodes, and some of them in this process (seed flow 1).

Nodes tell each other over a bus whose profile changed; while that is lost, a profile is at hand for
a moment only. What could not be changed in Redis is forgotten there afterwards, and so is what was
changed just before, perhaps in one that another had taken the place of.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import islice
from typing import Final

import hiredis
import msgspec

from webchat.adapters.redis.bus import RedisBus
from webchat.adapters.redis.local import LocalProfiles
from webchat.adapters.redis.settings import RedisCacheSettings
from webchat.errors import WebchatError
from webchat.model import Profile, Uid
from webchat.ports.bus import BusRefused
from webchat.ports.clock import Clock, Timer

_CHANGED: Final = "profiles"
_BATCH: Final = 100
_SEPARATOR: Final = " "
_decoder: Final = msgspec.json.Decoder(Profile)
_encoder: Final = msgspec.json.Encoder()
_FAILED: Final = (WebchatError, hiredis.ReplyError)


class RedisProfileCache:
    """Write-through. Of a read and a change of one profile that cross, the change stays at hand.

    A put comes back when Redis has it, or has forgotten what it had, and has told every node that
    hears. Readers that fill in what they read before a change must look again, as `Profiles` does;
    until then, and if they die, the old one is there for `ttl_s` at most.
    """

    is_shared = True

    def __init__(self, bus: RedisBus, settings: RedisCacheSettings, clock: Clock) -> None:
        """The cache opens and closes `bus` and is its listener; others may ask over it."""
        self._bus = bus
        self._bus.listen(self)
        self._settings = settings
        self._clock = clock
        self._local = LocalProfiles(settings.local_profiles, clock)
        self._hears_changes = False
        self._reading: dict[Uid, object] = {}
        self._owed: OrderedDict[Uid, None] = OrderedDict()
        self._told_at_s: OrderedDict[Uid, float] = OrderedDict()  # in the order of these times
        self._repayment: Timer | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Connect. Raises BusRefused."""
        await self._bus.open()
        try:
            await self._bus.subscribe(_CHANGED)
        except WebchatError as error:
            raise BusRefused(error.message) from error
        self._hears_changes = True

    def peek(self, uid: Uid) -> Profile | None:
        """The profile if it is at hand."""
        return self._local.get(uid)

    async def get(self, uid: Uid) -> Profile | None:
        """The profile, or None: ask the store."""
        at_hand = self._local.get(uid)
        if at_hand is not None or not self._hears_changes:
            return at_hand
        reading = self._reading.setdefault(uid, object())
        profile = await self._read(uid)
        if self._reading.get(uid) is reading:
            del self._reading[uid]
            if profile is not None:
                self._keep(profile)
        return profile

    async def put(self, profile: Profile) -> None:
        """Remember it here and in Redis, and tell the other nodes."""
        self._forget(profile.uid)
        self._keep(profile)
        await self._change(profile.uid, *self._set(profile))

    async def fill(self, profile: Profile) -> None:
        """Remember it here and in Redis. Nothing has changed, so nobody is told, and where Redis
        refuses it nothing is owed."""
        self._forget(profile.uid)
        self._keep(profile)
        if self._hears_changes:
            with self._owing(profile.uid):
                await self._does(*self._set(profile))

    async def drop(self, uid: Uid) -> None:
        """Forget it here and in Redis, and tell the other nodes."""
        self._forget(uid)
        await self._change(uid, "DEL", self._key(uid))

    async def close(self) -> None:
        """Let go of everything; harmless when done twice."""
        if self._repayment is not None:
            self._repayment.cancel()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._bus.close()

    def published(self, topic: str, payload: bytes) -> None:
        """Other nodes changed these profiles."""
        for uid in payload.decode().split(_SEPARATOR):
            self._forget(uid)

    def lost(self, why: str, deaf_s: float) -> None:
        """From now on nobody says what changes: nothing that is at hand may stay."""
        self._hears_changes = False
        self._local.clear()
        self._reading.clear()
        self._note_owed(self._told_at_s)
        self._told_at_s.clear()

    def regained(self) -> None:
        """Changes are heard again; what was put here meanwhile may have been changed since."""
        self._local.clear()
        self._hears_changes = True
        self._start_repaying()

    async def _read(self, uid: Uid) -> Profile | None:
        try:
            value = await self._bus.ask("GET", self._key(uid))
            return None if value is None else _decoder.decode(value)
        except (*_FAILED, msgspec.DecodeError):  # a later version may write other fields
            return None

    async def _change(self, uid: Uid, *command: str | bytes | int) -> None:
        """What Redis refuses to take it is to forget. The others are told at once, whatever it
        says."""
        if not self._hears_changes:
            self._owe([uid])
            return
        with self._owing(uid):
            is_done = await self._does(*command) or await self._does("DEL", self._key(uid))
            await self._tell([uid])
            self._note_told(uid)
            if not is_done:
                self._owe([uid])

    async def _does(self, *command: str | bytes | int) -> bool:
        """Whether Redis does as it is asked: it may be full, or not let this account. Raises
        WebchatError."""
        try:
            await self._bus.ask(*command)
        except hiredis.ReplyError:
            return False
        return True

    @contextmanager
    def _owing(self, uid: Uid) -> Iterator[None]:
        """What is not answered, or waited for no more, may be in Redis, and is owed, then."""
        try:
            yield
        except WebchatError:
            self._owe([uid])
        except BaseException:
            self._owe([uid])
            raise

    async def _tell(self, uids: Sequence[Uid]) -> None:
        """Returns when Redis passed it on. Raises WebchatError."""
        told: asyncio.Future[int | Exception] = asyncio.get_running_loop().create_future()
        self._bus.publish((_CHANGED,), _SEPARATOR.join(uids).encode(), partial(_settle, told))
        outcome = await told
        if isinstance(outcome, Exception):
            raise outcome

    def _note_told(self, uid: Uid) -> None:
        """For `unnoticed_s` it is not sure that who took it was still the one to tell."""
        told, settings, now_s = self._told_at_s, self._settings, self._clock.monotonic_s()
        told[uid] = now_s
        told.move_to_end(uid)
        while (
            len(told) > settings.max_owed
            or now_s - next(iter(told.values())) > settings.unnoticed_s
        ):
            told.popitem(last=False)

    def _note_owed(self, uids: Iterable[Uid]) -> None:
        """Forget these in Redis later; of too many the oldest are left to `ttl_s`."""
        self._owed.update(dict.fromkeys(uids))
        while len(self._owed) > self._settings.max_owed:
            self._owed.popitem(last=False)

    def _owe(self, uids: Sequence[Uid]) -> None:
        self._note_owed(uids)
        if self._repayment is None:
            after_s = self._settings.repay_after_ms / 1000
            self._repayment = self._clock.call_later(after_s, self._start_repaying)

    def _start_repaying(self) -> None:
        if self._repayment is not None:
            self._repayment.cancel()
            self._repayment = None
        task = asyncio.get_running_loop().create_task(self._repay())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _repay(self) -> None:
        while uids := list(islice(self._owed, _BATCH)):
            for uid in uids:
                del self._owed[uid]
            try:
                await self._bus.ask("DEL", *map(self._key, uids))
                await self._tell(uids)
            except _FAILED:
                self._owe(uids)
                return

    def _keep(self, profile: Profile) -> None:
        settings = self._settings
        self._local.put(
            profile, settings.local_ttl_s if self._hears_changes else settings.outage_ttl_s
        )

    def _forget(self, uid: Uid) -> None:
        """What is at hand, and what a read that is on its way will bring, is out of date."""
        self._local.drop(uid)
        self._reading.pop(uid, None)

    def _set(self, profile: Profile) -> tuple[str | bytes | int, ...]:
        value, ttl_s = _encoder.encode(profile), self._settings.ttl_s
        return "SET", self._key(profile.uid), value, "EX", ttl_s

    def _key(self, uid: Uid) -> str:
        return self._settings.key_prefix + uid


def _settle(told: asyncio.Future[int | Exception], outcome: int | Exception) -> None:
    if not told.done():
        told.set_result(outcome)

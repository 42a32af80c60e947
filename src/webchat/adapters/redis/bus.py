"""The bus on Redis PUBSUB: one connection publishes, one subscribes, and both come back together.

A frame goes before a payload: a version byte and the publisher's tag, so that a node does not hear
itself. Payloads in a frame of another version are passed over.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from typing import Final

from webchat.adapters.redis.address import Address
from webchat.adapters.redis.connections import Connections
from webchat.adapters.redis.link import Link, LinkLost, Reply, bulk
from webchat.adapters.redis.publishing import Publish, unavailable
from webchat.adapters.redis.settings import RedisBusSettings
from webchat.adapters.redis.stats import BusStats
from webchat.adapters.redis.subscriptions import Subscriptions
from webchat.ports.bus import BusListener, PublishDone
from webchat.ports.clock import Clock

_FRAME_VERSION: Final = b"\x01"
_TAG_BYTES: Final = 8
_FRAME_BYTES: Final = len(_FRAME_VERSION) + _TAG_BYTES
_REMEMBERED_TOPICS: Final = 10_000


class RedisBus:
    """One node's end of the bus.

    `node_id` names the connections for people; nodes are told apart by a random tag, so two of one
    name hear each other all the same.
    """

    def __init__(self, url: str, settings: RedisBusSettings, clock: Clock, node_id: str) -> None:
        """Raises BusRefused for a URL that cannot be read."""
        self._address = Address.of(url)
        settings = _of_database(settings, self._address.db)
        self._frame = b""
        self._prefix = settings.channel_prefix.encode()
        self._to = lru_cache(_REMEMBERED_TOPICS)(self._publish_to)
        self._listener: BusListener | None = None
        self._subscriptions = Subscriptions(settings.channel_prefix, settings.subscribe_batch)
        self.stats = BusStats()
        name = _visible(f"webchat:{node_id}")
        self._connections = Connections(self._address, settings, clock, name, self, self.stats)

    is_alone = False

    def listen(self, listener: BusListener) -> None:
        """Set who hears."""
        self._listener = listener

    async def open(self) -> None:
        """Connect. Raises BusRefused: unreachable, wrong credentials, unfit."""
        self._frame = _FRAME_VERSION + os.urandom(_TAG_BYTES)  # now: forked processes differ
        await self._connections.open()

    def publish(
        self, topics: Sequence[str], payload: bytes, done: PublishDone | None = None
    ) -> None:
        """Tell other nodes; written with all that this turn of the loop publishes."""
        link = self._connections.publisher
        if link is None or not topics:
            self._not_sent(topics, done)
            return
        own = self._subscriptions.count_live(topics)
        answered = Publish(link, len(topics), own, done, self.stats).answered
        framed = bulk(self._frame + payload)
        command = b"".join([said for topic in topics for said in (self._to(topic), framed)])
        link.send(command, answered, len(topics))

    async def ask(self, *command: str | bytes | int) -> Reply:
        """Any other command, among the publishes in its order; its reply as hiredis reads it.

        Raises WebchatError(UNAVAILABLE) while the bus is down or when it is lost meanwhile, and
        hiredis.ReplyError if Redis refuses.
        """
        link = self._connections.publisher
        if link is None:
            raise unavailable(self._connections.why_down)
        try:
            return await link.call(*command)
        except LinkLost as lost:
            raise unavailable(str(lost)) from None

    async def subscribe(self, topic: str) -> None:
        """Hold `topic`. Raises WebchatError(UNAVAILABLE) while the bus is down."""
        self._subscriptions.hold(topic)
        if self._connections.publisher is None or not await self._subscriptions.confirm(topic):
            raise unavailable(self._connections.why_down)

    def unsubscribe(self, topic: str) -> None:
        """No longer hold `topic`."""
        self._subscriptions.drop(topic)

    async def trouble(self) -> str:
        """How long Redis has been down and why, or what is wrong with it; "": nothing."""
        down = self._connections
        if not down.why_down:
            return down.complaint
        return f"Redis at {self._address} is down for {down.down_s:.0f} s: {down.why_down}"

    async def close(self) -> None:
        """Let go; harmless when done twice."""
        await self._connections.close()
        self._subscriptions.forget_link()

    async def restore(self, subscriber: Link) -> None:
        """There is a new link: subscribe all that is held. Raises LinkLost."""
        subscriber.on_message = self._heard
        await self._subscriptions.restore(subscriber)

    def lost(self, why: str, deaf_s: float) -> None:
        """The links are gone."""
        self._subscriptions.forget_link()
        if self._listener is not None:
            _guard(partial(self._listener.lost, why, deaf_s))

    def regained(self) -> None:
        """There are new links, and all that is held is subscribed on them."""
        if self._listener is not None:
            _guard(self._listener.regained)

    def _heard(self, channel: bytes, framed: bytes) -> None:
        if framed.startswith(self._frame) or not framed.startswith(_FRAME_VERSION):
            return
        if self._listener is not None:
            self.stats.received += 1
            topic = channel[len(self._prefix) :].decode()
            self._listener.published(topic, framed[_FRAME_BYTES:])

    def _publish_to(self, topic: str) -> bytes:
        """A PUBLISH up to its payload, which follows as a `bulk`."""
        return b"*3\r\n" + bulk(b"PUBLISH") + bulk(self._prefix + topic.encode())

    def _not_sent(self, topics: Sequence[str], done: PublishDone | None) -> None:
        self.stats.failed += bool(topics)
        if done is not None:
            done(unavailable(self._connections.why_down) if topics else 0)


def _guard(tell: Callable[[], None]) -> None:
    """A listener that fails must not keep the bus from coming back."""
    try:
        tell()
    except Exception as error:
        asyncio.get_running_loop().call_exception_handler(
            {"message": "a listener of the bus failed", "exception": error}
        )


def _of_database(settings: RedisBusSettings, db: int) -> RedisBusSettings:
    """Redis' channels are those of all its databases: what keeps them apart is their names."""
    if not db:
        return settings
    return replace(settings, channel_prefix=f"{settings.channel_prefix}{db}:")


def _visible(name: str) -> str:
    """As CLIENT SETNAME takes it: printable ASCII without spaces."""
    return "".join(sign if "!" <= sign <= "~" else "_" for sign in name)

"""The two links of a node's bus: made together, lost together, and made again after pauses."""

from __future__ import annotations

import asyncio
import logging
import random
from typing import Final, Protocol

from webchat.adapters.redis import fitness
from webchat.adapters.redis.address import Address
from webchat.adapters.redis.link import Link, LinkLost, Reply, connect, pack
from webchat.adapters.redis.settings import RedisBusSettings
from webchat.adapters.redis.stats import BusStats
from webchat.ports.bus import BusRefused
from webchat.ports.clock import Clock, Timer, pause

_PING: Final = pack(("PING",))
_PROBE_TOPIC: Final = "probe"
_log = logging.getLogger(__name__)


class Owner(Protocol):
    """Who uses the links."""

    async def restore(self, subscriber: Link) -> None:
        """Subscribe on a new link what the last one had. Raises LinkLost."""

    def lost(self, why: str, deaf_s: float) -> None:
        """The links are gone, and all that waited on them has failed; `why` names the address. What
        was published for `deaf_s` before may not have been heard: so long this process may have
        stood still."""

    def regained(self) -> None:
        """There are new ones, restored."""


class Connections:
    """Keeps two links to one Redis. `publisher`: the one that publishes, None while they are lost;
    `why_down`: "" while they serve, else why not, without the address; `complaint`: what is wrong
    with a Redis that serves.
    """

    def __init__(
        self,
        address: Address,
        settings: RedisBusSettings,
        clock: Clock,
        name: str,
        owner: Owner,
        stats: BusStats,
    ) -> None:
        self.publisher: Link | None = None
        self.why_down = "it was not opened yet"
        self.complaint = ""
        self._address = address
        self._settings = settings
        self._clock = clock
        self._name = name
        self._owner = owner
        self._stats = stats
        self._links: tuple[Link, ...] = ()
        self._publishes_as = ("", 0)
        self._lost = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None
        self._ping: Timer | None = None
        self._down_since_s = clock.monotonic_s()

    @property
    def down_s(self) -> float:
        """For how long they have been down."""
        return self._clock.monotonic_s() - self._down_since_s

    async def open(self) -> None:
        """Connect, and stay connected from now on. Raises BusRefused."""
        try:
            await self._connect()
        except (OSError, LinkLost, BusRefused) as error:
            raise BusRefused(f"{self._told(self._reason(error))}.") from None
        self._keeper = asyncio.create_task(self._keep())
        self._ping_all()

    async def close(self) -> None:
        """Let go of them; harmless when done twice."""
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.cancel()
            await asyncio.gather(keeper, return_exceptions=True)
        if self._ping is not None:
            self._ping.cancel()
        self._drop("it was closed")

    async def _connect(self) -> None:
        links: list[Link] = []
        try:
            async with asyncio.timeout(self._settings.connect_timeout_ms / 1000):
                for _ in range(2):
                    links.append(await self._link())
                    await fitness.log_in(links[-1], self._address, self._name)
                run_id = await self._check(links[0])
                number = await self._replace(links[0], run_id)
            await self._owner.restore(links[1])
            if not all(link.is_open for link in links):
                raise LinkLost("it ended the connection")
        except BaseException:
            for link in links:
                link.close()
            raise
        self._publishes_as = (run_id, number)
        self._take(tuple(links))

    async def _replace(self, link: Link, run_id: str) -> int:
        """What the last publisher sent must not come after what this one will. After a start Redis
        counts connections anew, and that number is somebody else's."""
        last_run_id, number = self._publishes_as
        if number and run_id and last_run_id == run_id:
            await fitness.fence(link, number)
        return await fitness.identify(link)

    async def _link(self) -> Link:
        settings = self._settings
        return await connect(
            self._address,
            self._clock,
            settings.ack_timeout_ms / 1000,
            settings.max_unanswered_bytes,
        )

    async def _check(self, link: Link) -> str:
        """Raises BusRefused if this Redis is not fit; else its run id."""
        found = await fitness.examine(link)
        if found.refusal:
            raise BusRefused(found.refusal)
        await fitness.check_rights(link, self._settings.channel_prefix + _PROBE_TOPIC)
        self.complaint = found.complaint
        return found.run_id

    def _take(self, links: tuple[Link, ...]) -> None:
        self._links = links
        self.publisher = links[0]
        self._lost.clear()
        self.why_down = ""
        for link in links:
            link.on_lost = self._lose

    def _lose(self, why: str) -> None:
        _, subscriber = self._links
        self._drop(why)
        deaf_s = self._clock.monotonic_s() - subscriber.heard_until_s
        self._owner.lost(self._told(why), deaf_s)
        self._lost.set()

    def _drop(self, why: str) -> None:
        if not self.why_down:
            self._down_since_s = self._clock.monotonic_s()
        self.why_down = why
        for link in self._links:
            link.close()
        self._links, self.publisher = (), None

    async def _keep(self) -> None:
        """Come back whenever the links are lost; between, look whether Redis is still fit."""
        while True:
            try:
                async with asyncio.timeout(self._settings.check_interval_s):
                    await self._lost.wait()
            except TimeoutError:
                await self._examine()
            else:
                await self._come_back()
                self._stats.reconnects += 1
                self._owner.regained()

    async def _come_back(self) -> None:
        pause_ms = float(self._settings.reconnect_min_ms)
        while True:
            # Between half and all of it, so that nodes do not come back in step.
            await pause(self._clock, pause_ms / 1000 * random.uniform(0.5, 1.0))  # noqa: S311
            try:
                await self._connect()
            except Exception as error:
                # Whatever it is: it is tried again until there is a bus.
                self._cannot(self._reason(error))
            else:
                return
            pause_ms = min(2 * pause_ms, self._settings.reconnect_max_ms)

    def _cannot(self, why: str) -> None:
        """It does not come back; what is new of why is said in the log."""
        if why != self.why_down and self._settings.logs_why:
            _log.warning("no bus: %s", self._told(why))
        self.why_down = why

    async def _examine(self) -> None:
        """A Redis that would be refused by now is left: one that was made a replica takes publishes
        that those on its master do not hear."""
        link = self.publisher
        if link is None:
            return
        try:
            found = await fitness.examine(link)
        except LinkLost:  # that is told on its own way
            return
        except Exception:
            _log.exception("what Redis says of itself cannot be read")
            return
        self.complaint = found.complaint
        if found.refusal:
            link.drop(found.refusal.rstrip("."))

    def _ping_all(self) -> None:
        for link in self._links:
            link.send(_PING, _ignore)
        self._stats.lag_ms = max((link.lag_ms for link in self._links), default=0.0)
        self._ping = self._clock.call_later(self._settings.ping_interval_ms / 1000, self._ping_all)

    def _told(self, why: str) -> str:
        """`why`, for people, who may have more than one Redis."""
        return f"Redis at {self._address}: {why}"

    def _reason(self, error: Exception) -> str:
        if isinstance(error, TimeoutError) and not str(error):
            return f"no connection within {self._settings.connect_timeout_ms} ms"
        return str(error).rstrip(".")


def _ignore(_: Reply) -> None:
    """What counts is that it came in time, which the link watches."""

"""One node of the cluster, from its start to its death: the real service, chat and session code."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import Any, cast

from tests.sim.bus import Broker, SimBus
from tests.sim.clock import SimClock
from tests.sim.loop import Process, VirtualLoop
from tests.sim.network import Link
from tests.sim.stores import Engine
from webchat.adapters.memory.cache import MemoryProfileCache
from webchat.chat.assembly import Chat, Settings
from webchat.chat.handlers import ChatSettings
from webchat.chat.joining import JoinSettings
from webchat.chat.keeping import KeptSettings
from webchat.chat.lag import BacklogSettings
from webchat.chat.settings import RepairSettings
from webchat.errors import WebchatError
from webchat.model import Login
from webchat.ports.bus import Bus
from webchat.ports.links import InviteLinks
from webchat.ports.store import Store
from webchat.service.accounts import AccountService, AccountSettings
from webchat.service.entering import Entrance
from webchat.service.invitations import InvitationService
from webchat.service.links import LinkService, LinkSettings
from webchat.service.own_account import OwnAccount
from webchat.service.peers import Peers, PeerSettings, own_row
from webchat.service.profiles import Profiles
from webchat.service.read_positions import ReceiptSettings
from webchat.service.standing import Standings
from webchat.service.tokens import Tokens, TokenSettings
from webchat.session.client import SocketIO, SocketSettings
from webchat.session.endpoint import Endpoint, EngineSettings
from webchat.session.handler import Request

LEASE_S = 6.0
LAPSES_S = LEASE_S * 4 / 3 + 0.1
"""By when the slowest peer has noticed that a node is dead: it looks each third of a lease."""
SWEEP_S = 8.0
MORE_WITHIN_S = 1.5
LINKS_PER_GROUP = 2


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """Everything small, so that pages, bounds and timeouts are met within a short story."""

    chat: Settings = field(
        default_factory=lambda: Settings(
            kept=KeptSettings(kept_receipts=200),
            join=JoinSettings(sync_more_timeout_s=MORE_WITHIN_S),
            chat=ChatSettings(rate_burst=1_000_000),
            backlog=BacklogSettings(
                backlog_entries=3, join_entries=15, page_entries=2, queued_entries=1
            ),
            repair=RepairSettings(
                sweep_interval_s=SWEEP_S, heads_page=2, gap_page=2, failed_logs=1, positions_page=1
            ),
            revocation_sweep_ms=20_000,
        )
    )
    engine: EngineSettings = field(
        default_factory=lambda: EngineSettings(
            ping_interval_ms=5_000,
            ping_timeout_ms=4_000,
            max_outbox_bytes=8_000,
            low_water_bytes=1_500,
        )
    )
    peers: PeerSettings = field(default_factory=lambda: PeerSettings(lease_ms=int(LEASE_S * 1000)))


@dataclass(frozen=True, slots=True)
class Seams:
    """Where a story may put something between a node and its world: see sabotage.py."""

    store: Callable[[Any], Any] = lambda store: store
    bus: Callable[[Any], Any] = lambda bus: bus
    chat: Callable[[Chat], None] = lambda chat: None


class Node:
    """Number `index` of the cluster in its `life`-th life; everything of it is in `process`."""

    def __init__(
        self,
        loop: VirtualLoop,
        index: int,
        life: int,
        engine: Engine,
        broker: Broker,
        clock_skew_ms: int,
        node_id: str,
        seams: Seams,
        *,
        open_mode: bool,
        counted: bool,
    ) -> None:
        self.index = index
        self.name = f"node {index}.{life}"
        self.process = Process(self.name)
        self.bus = SimBus(broker, self.process, index)
        self.serves = asyncio.Event()
        self.died_s = float("inf")
        self._loop = loop
        self._broker = broker
        self._links: dict[Link, None] = {}
        self._settings = NodeSettings()
        self._open_mode = open_mode
        self._receipts = ReceiptSettings(told_members=0) if counted else ReceiptSettings()
        self._clock = SimClock(loop, clock_skew_ms)
        self._engine = engine
        self._store: Store = seams.store(engine.store_of(index, self.process, self._clock))
        self._seen_bus: Bus = seams.bus(self.bus)
        self._seams = seams
        self._node_id = node_id
        self.chat: Chat | None = None
        self.links: LinkService
        self.invite_links: InviteLinks
        self.invitations: InvitationService
        self.own_account: OwnAccount
        self.tokens: Tokens
        self._peers: Peers | None = None
        self._endpoint: Endpoint | None = None

    def start(self) -> None:
        """Begin to run; it serves once its id is its own."""
        self._loop.call_soon(self._begin, context=self.process.context)

    def _begin(self) -> None:
        self._loop.create_task(self._start())

    async def _start(self) -> None:
        settings = self._settings
        self._engine.start(self._store)
        accounts = self._store.accounts
        is_open = self._open_mode
        chat_settings = replace(settings.chat, open_mode=is_open, receipts=self._receipts)
        profiles = Profiles(accounts, MemoryProfileCache(), self._clock, open_mode=is_open)
        chat = self.chat = Chat(
            self._store, self._seen_bus, self._clock, profiles, _authenticate, chat_settings
        )
        self._serve_rest(chat, profiles)
        self._seams.chat(chat)
        await self._seen_bus.open()
        await self._join_peers(chat)
        chat.start()
        self._endpoint = Endpoint(
            SocketIO(chat.handler, self._clock, SocketSettings()),
            self._clock,
            settings.engine,
            origin_allowed=lambda headers, secure: True,
        )
        self.serves.set()

    def _serve_rest(self, chat: Chat, profiles: Profiles) -> None:
        store, nobody_logs_in = self._store, cast(Any, None)
        self.tokens = Tokens(store.logins, self._clock, TokenSettings())
        accounts = AccountService(
            store.accounts,
            profiles,
            self.tokens,
            nobody_logs_in,
            nobody_logs_in,
            self._clock,
            AccountSettings(),
        )
        self.own_account = OwnAccount(accounts, store.log, chat.appends, self._clock)
        standings = Standings(store.log, store.members)
        entrance = Entrance(standings, chat.appends, self._clock)
        bounds = LinkSettings(links_per_group=LINKS_PER_GROUP)
        self.invite_links = store.links
        self.links = LinkService(store.links, store.log, standings, entrance, self._clock, bounds)
        self.invitations = InvitationService(store.invitations, store.members, entrance)

    def ask(self, act: Callable[[], Awaitable[object]], answered: Callable[[object], None]) -> None:
        """A request by REST; `answered` gets what comes of it, or the refusal. In the world."""

        async def ask() -> None:
            try:
                outcome = await act()
            except WebchatError as refusal:
                outcome = refusal
            answered(outcome)

        self._loop.call_soon(
            lambda: self._loop.create_task(ask()) and None, context=self.process.context
        )

    async def _join_peers(self, chat: Chat) -> None:
        while True:
            row = own_row(self._node_id, f"http://{self.index}", ("chat",), "1")
            peers = Peers(
                self._store.nodes, self._clock, self._settings.peers, row, lambda _: chat.compare()
            )
            try:
                await peers.start()
            except WebchatError:
                await asyncio.sleep(0.5)
            else:
                self._peers = peers
                return

    def accept(self, link: Link) -> bool:
        """A device connects; False: nobody is there yet. Called in the node's process."""
        if not self.serves.is_set() or self._endpoint is None:
            return False
        self._links[link] = None
        engine = {"EIO": str(link.engine)}
        self._endpoint.open(Request({}, engine, "127.0.0.1", link.engine, websocket=True), link)
        return True

    def kill(self, *, silently: bool) -> None:
        """It is dead, in the middle of whatever it does. `silently`: so is its machine, so that
        nobody is told. Called in the world."""
        self.serves = asyncio.Event()
        self.died_s = self._loop.time()
        self._loop.kill(self.process)
        self._broker.forget(self.bus)
        for link in self._links:
            if not silently:
                self._loop.call_later(0.005, link.broke, context=self._loop.world.context)

    async def stop(self) -> None:
        """An orderly end."""
        ended: asyncio.Future[None] = self._loop.create_future()
        self._loop.call_soon(self._begin_to_stop, ended, context=self.process.context)
        await ended

    def _begin_to_stop(self, ended: asyncio.Future[None]) -> None:
        self._loop.create_task(self._stop(ended))

    async def _stop(self, ended: asyncio.Future[None]) -> None:
        assert self.chat is not None
        assert self._endpoint is not None
        assert self._peers is not None
        self.serves.clear()
        self.chat.drain()
        self._endpoint.drain()
        await asyncio.sleep(0.1)
        self._endpoint.abandon()
        await self.chat.finish(1.0)
        await self.chat.close()
        await self._peers.stop()
        await self._seen_bus.close()
        await self._engine.stop(self._store)
        ended.set_result(None)


async def _authenticate(token: str) -> Login | None:
    return Login(f"login-{token}", token, 0, 0, 2**53)

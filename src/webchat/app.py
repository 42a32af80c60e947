"""The one place of assembly: settings in, a running server out.

Everybody else gets a small struct of its own settings and the ports it needs.
"""

from __future__ import annotations

import asyncio
import gc
import signal
import socket

import structlog
from prometheus_client import CollectorRegistry

from webchat import __version__, tuning
from webchat.adapters.memory import (
    LoopClock,
    MemoryBus,
    MemoryLimits,
    MemoryProfileCache,
)
from webchat.adapters.sqlite import SqliteSettings, SqliteStore
from webchat.chat.assembly import Chat
from webchat.config import Settings, SettingsError
from webchat.errors import WebchatError
from webchat.metrics import ChatCollector
from webchat.ports.bus import Bus
from webchat.ports.clock import Clock
from webchat.ports.store import Store, StoreRefused
from webchat.service.accounts import AccountService
from webchat.service.conversations import Conversations
from webchat.service.directory import Directory
from webchat.service.entering import Entrance
from webchat.service.history import History
from webchat.service.invitations import InvitationService
from webchat.service.links import LinkService
from webchat.service.passwords import Passwords
from webchat.service.profiles import Profiles
from webchat.service.readers import Readers
from webchat.service.standing import Standings
from webchat.service.tokens import Tokens, TokenSettings
from webchat.session.client import SocketIO
from webchat.session.endpoint import Endpoint
from webchat.transport.origins import OwnOrListed, any_origin
from webchat.transport.proxy import Proxies
from webchat.transport.rest import RestSettings, Services, build, build_seed
from webchat.transport.server import AddressInUse, Server, ServerSettings, Site, bind

SOCKET_IO_PATH = "/socket.io"
_HOUR_S = 3_600.0
_COLLECTOR_THRESHOLDS = (10_000, 20, 50)
_log = structlog.get_logger()


class App:
    """One server process. `start`, then `stop`."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._clock: Clock = LoopClock()
        self._store: Store = _store(settings, self._clock)
        self._bus: Bus = MemoryBus()
        self._passwords = Passwords(tuning.password_settings(settings))
        self._chat: Chat | None = None
        self._server: Server | None = None
        self._sweep: asyncio.Task[None] | None = None
        self.url = ""

    async def start(self) -> None:
        """Open the store and serve. Raises StoreRefused, SettingsError, OSError."""
        settings = self._settings
        sockets = [_bind(settings.host, settings.port)]
        if settings.open and settings.profile_port is not None:
            sockets.append(_bind(settings.host, settings.profile_port))
        try:
            await self._store.open("open" if settings.open else "secured")
        except BaseException:
            for bound in sockets:
                bound.close()
            raise
        self._server = self._assemble(sockets)
        await self._server.start()
        self._sweep = asyncio.create_task(self._forget_expired())
        self.url = _url(settings.host, sockets[0])

    def _assemble(self, sockets: list[socket.socket]) -> Server:
        settings, store, clock = self._settings, self._store, self._clock
        profiles = Profiles(
            store.accounts,
            MemoryProfileCache(settings.profile_cache_entries),
            clock,
            open_mode=settings.open,
            recent=settings.getall_profiles,
        )
        accounts = AccountService(
            store.accounts,
            profiles,
            Tokens(store.logins, clock, TokenSettings(session_days=settings.session_days)),
            self._passwords,
            MemoryLimits(clock),
            clock,
            tuning.account_settings(settings),
        )
        self._chat = Chat(
            store, self._bus, clock, profiles, accounts.authenticate, tuning.chat_settings(settings)
        )
        self._chat.start()
        history = History(store.log, store.members)
        standings = Standings(store.log, store.members)
        entrance = Entrance(standings, self._chat.appends, clock)
        services = Services(
            accounts,
            profiles,
            Conversations(store.log, store.members, store.positions, profiles, history),
            history,
            Readers(store.members, store.positions, profiles, history),
            InvitationService(store.invitations, store.members, entrance),
            Directory(store.members, entrance),
            LinkService(store.links, standings, entrance, clock, tuning.link_settings(settings)),
            {"store": store.trouble},
            {"bus": self._bus.trouble},
            CollectorRegistry(),
        )
        return self._serving(sockets, services, self._chat)

    def _serving(self, sockets: list[socket.socket], services: Services, chat: Chat) -> Server:
        settings, clock = self._settings, self._clock
        proxies = Proxies(settings.trusted_networks())
        allowed = any_origin if settings.open else OwnOrListed(settings.allow_origin)
        endpoint = Endpoint(
            SocketIO(chat.handler, clock, tuning.socket_settings(settings)),
            clock,
            tuning.engine_settings(settings),
            origin_allowed=allowed,
        )
        services.registry.register(ChatCollector(chat, endpoint))
        rest = RestSettings(
            open_mode=settings.open,
            body_bytes=settings.body_bytes,
            cookie_days=settings.session_days,
        )
        site = Site(
            build(services, rest, proxies, allowed), sockets[:1], {SOCKET_IO_PATH: endpoint}
        )
        sites = [site]
        if sockets[1:]:
            sites.append(Site(build_seed(services, rest, proxies, allowed), sockets[1:]))
        return Server(sites, ServerSettings(), clock, proxies)

    async def stop(self, grace_s: float) -> None:
        """Refuse what still comes, tell everybody, flush, let go; back in about `grace_s`."""
        if self._sweep is not None:
            self._sweep.cancel()
        if self._chat is not None:
            self._chat.drain()
        if self._server is not None:
            await self._server.stop(grace_s)
        if self._chat is not None:
            await self._chat.close()
        await self._bus.close()
        await self._store.close()
        self._passwords.close()

    async def _forget_expired(self) -> None:
        while True:
            try:
                now = self._clock.now_ms()
                await self._store.logins.forget_expired(now)
                await self._store.links.forget_expired(now)
                await self._store.held.expire(now - self._settings.held_days * tuning.DAY_MS)
            except WebchatError as error:
                _log.warning("what has expired is not dropped yet", why=error.message)
            await asyncio.sleep(_HOUR_S)


async def run(settings: Settings) -> int:
    """Serve until SIGTERM or SIGINT; returns the exit code. Raises what `App.start` raises."""
    app = App(settings)
    asked_to_stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, asked_to_stop.set)
    await app.start()
    _calm_collector()
    try:
        _log.info("listening", url=app.url, version=__version__)
        await asked_to_stop.wait()
        _log.info("draining", within_s=settings.drain_s)
    finally:
        await app.stop(max(0.0, settings.drain_s - 1.0))
    _log.info("stopped")
    return 0


def _calm_collector() -> None:
    """What is there after the start stays; connections are many and mostly idle, so the collector
    looks at the young more rarely, and at all of them far more rarely, than it does by default."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_COLLECTOR_THRESHOLDS)


def _store(settings: Settings, clock: Clock) -> Store:
    return SqliteStore(
        settings.sqlite_path(), SqliteSettings(gather_ms=settings.sqlite_gather_ms), clock
    )


def _bind(host: str, port: int) -> socket.socket:
    try:
        return bind(host, port)
    except AddressInUse as error:
        raise StoreRefused(f"{error} Choose another one with --port.") from error
    except OSError as error:
        raise SettingsError(f"--host {host}: cannot listen there ({error.strerror})") from error


def _url(host: str, bound: socket.socket) -> str:
    port = bound.getsockname()[1]
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"

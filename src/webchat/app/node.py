"""One node: a process that serves, from the opening of its store to its last word."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

from webchat import tuning
from webchat.adapters.memory import LoopClock
from webchat.app.peering import Peering
from webchat.app.services import chat_of, people_of, services_of
from webchat.app.sites import server_of
from webchat.app.sockets import Sockets, public_url
from webchat.app.vendors import joint_of, store_of
from webchat.chat.assembly import Chat
from webchat.config import Settings
from webchat.ports.clock import Clock, pause
from webchat.ports.store import Store
from webchat.service.passwords import Passwords
from webchat.service.patience import Patience
from webchat.service.peers import new_node_id
from webchat.session.client import SocketIO
from webchat.transport.server import Server

_SWEEP_S = 3_600.0
_FINISH_S = 1.0
"""So long it may take to tell or keep what was acknowledged, once nobody is connected any more."""


class Node:
    """A node on `sockets`, which it closes. `start`, then `stop`.

    `id`: its name among the nodes of its store; `url`: where people reach it.
    """

    def __init__(self, settings: Settings, sockets: Sockets) -> None:
        self._settings = settings
        self._sockets = sockets
        self._clock: Clock = LoopClock()
        self._opened = AsyncExitStack()
        self._grace_s = 0.0
        self._hurried = asyncio.Event()
        self.id = settings.node_id or new_node_id()
        self.url = public_url(settings, sockets)

    async def start(self) -> None:
        """Open what it stands on, and serve; if that fails nothing stays open.

        Raises StoreRefused, BusRefused, NodeRefused, WebchatError(UNAVAILABLE), OSError.
        """
        async with AsyncExitStack() as opened:
            opened.callback(self._sockets.close)
            await self._open(opened)
            self._opened = opened.pop_all()

    async def stop(self, grace_s: float) -> None:
        """Refuse what still comes, tell everybody, flush, let go; back in about `grace_s`."""
        self._grace_s = grace_s
        await self._opened.aclose()

    def hurry(self) -> None:
        """Have `stop` wait for nobody any more."""
        self._hurried.set()

    async def _open(self, opened: AsyncExitStack) -> None:
        """Each part after those that it stands on; they are let go in the reverse order."""
        settings, clock = self._settings, self._clock
        joint = joint_of(settings, clock, self.id)
        store = store_of(settings, clock)
        await store.open(settings.mode)
        opened.push_async_callback(store.close)
        opened.push_async_callback(joint.close)
        passwords = Passwords(tuning.password_settings(settings))
        opened.callback(passwords.close)
        people = people_of(settings, store, joint, passwords, clock)
        chat = chat_of(settings, store, joint, people, clock)
        opened.push_async_callback(chat.close)
        await joint.open()
        peering = Peering(settings, self._sockets, self.id, store.nodes, clock, chat.compare)
        opened.push_async_callback(peering.stop)
        await peering.start()
        helpers = {"bus": joint.bus.trouble, **peering.checks}
        services = services_of(settings, store, people, chat, clock, helpers, self.id)
        socket_io = SocketIO(chat.handler, clock, tuning.socket_settings(settings))
        opened.push_async_callback(socket_io.close)
        server = server_of(
            settings, self._sockets, services, chat, socket_io, joint, peering, clock
        )
        chat.start()
        await server.start()
        opened.push_async_callback(self._end, server, chat)
        sweep = asyncio.create_task(self._forget_expired(store, chat.patience))
        opened.push_async_callback(_cancel, sweep)

    async def _end(self, server: Server, chat: Chat) -> None:
        chat.drain()
        until_s = self._clock.monotonic_s() + self._grace_s + _FINISH_S
        ending = asyncio.create_task(server.stop(self._grace_s))
        hurried = asyncio.create_task(self._hurried.wait())
        await asyncio.wait((ending, hurried), return_when=asyncio.FIRST_COMPLETED)
        hurried.cancel()
        if not ending.done():
            await server.stop(0.0)
        await ending
        if not self._hurried.is_set():
            await chat.finish(min(_FINISH_S, until_s - self._clock.monotonic_s()))

    async def _forget_expired(self, store: Store, patience: Patience) -> None:
        async def forget() -> None:
            now = self._clock.now_ms()
            await store.logins.forget_expired(now)
            await store.links.forget_expired(now)
            await store.held.expire(now - self._settings.held_days * tuning.DAY_MS)

        while True:
            await patience.attempt(forget, "dropping what has expired")
            await pause(self._clock, _SWEEP_S)


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

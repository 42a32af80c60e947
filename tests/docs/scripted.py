"""A Socket.IO server that says what a test wants said, and keeps what it was asked."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine
from types import TracebackType
from typing import Any, TypeVar

import socketio
from aiohttp import web

Json = dict[str, Any]
T = TypeVar("T")


class Scripted:
    """It logs everybody in. Use it as a context.

    `chat`: answers a message; None where it has hung up. `refusals`: of each CONNECT the `data`
    that it is refused with, None where it is accepted, as all are beyond.
    """

    def __init__(
        self, chat: Callable[[Scripted], Awaitable[Json | None]], *refusals: Json | None
    ) -> None:
        self.joins: list[Json] = []
        self.url = ""
        self._chat = chat
        self._refusals = list(refusals)
        self._io = socketio.AsyncServer(async_mode="aiohttp", monitor_clients=False)
        self._io.on("connect", self._connect)
        self._io.on("join", self._join)
        self._io.on("chat", self._answer)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)

    async def say(self, event: Json) -> None:
        """Send an event `chat`."""
        await self._io.emit("chat", event)

    async def hang_up(self) -> None:
        """Break all connections off, as a network would."""
        assert self._runner.server is not None
        for each in self._runner.server.connections:
            assert each.transport is not None
            each.transport.close()

    def do(self, what: Coroutine[Any, Any, T]) -> T:
        """Have that done on the server's loop, and wait for it."""
        return asyncio.run_coroutine_threadsafe(what, self._loop).result()

    async def _connect(self, sid: str, environ: Json, auth: object) -> None:
        refusal = self._refusals.pop(0) if self._refusals else None
        if refusal is not None:
            raise socketio.exceptions.ConnectionRefusedError("not now", refusal)

    async def _join(self, sid: str, form: Json) -> Json:
        self.joins.append(form["cursors"])
        return {"ok": True}

    async def _answer(self, sid: str, envelope: Json) -> Json | None:
        return await self._chat(self) if envelope["EvtType"] == "message" else {"ok": True}

    async def _serve(self) -> web.AppRunner:
        app = web.Application()
        app.router.add_post("/api/v1/login", self._login)
        self._io.attach(app)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        return runner

    async def _login(self, request: web.Request) -> web.Response:
        return web.json_response({"token": "t"})

    def __enter__(self) -> Scripted:
        self._thread.start()
        self._runner = self.do(self._serve())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.do(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _end(self) -> None:
        await self._io.shutdown()
        await self._runner.cleanup()
        left = asyncio.all_tasks() - {asyncio.current_task()}  # python-socketio's pings
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

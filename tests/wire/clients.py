"""Socket.IO clients as others ship them, npm's and Python's, under one interface for the tests."""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import aiohttp
import socketio

TIMEOUT_S = 10.0
Envelope = dict[str, Any]
Heard = tuple[str, list[Any]]


class Refused(Exception):  # noqa: N818
    """The server answered CONNECT_ERROR; `data` is its `data`."""

    def __init__(self, message: str, data: object) -> None:
        super().__init__(message)
        self.data = data


class Inbox:
    """What a client heard, in order, until a test takes it out."""

    def __init__(self) -> None:
        self.waiting: list[Heard] = []
        self._changed = asyncio.Condition()

    async def put(self, name: str, args: list[Any]) -> None:
        async with self._changed:
            self.waiting.append((name, args))
            self._changed.notify_all()

    async def take(self, what: str, wanted: Callable[[Heard], bool]) -> Heard:
        """Wait for the first event that is `wanted` and take it out; the others stay."""

        def first() -> int | None:
            return next((i for i, heard in enumerate(self.waiting) if wanted(heard)), None)

        async with self._changed:
            try:
                async with asyncio.timeout(TIMEOUT_S):
                    await self._changed.wait_for(lambda: first() is not None)
            except TimeoutError:
                raise AssertionError(f"no {what} came, but {self.waiting}") from None
            index = first()
            assert index is not None
            return self.waiting.pop(index)


class Wire(Protocol):
    """A connection by one of the libraries."""

    inbox: Inbox
    transport: str

    async def open(self, url: str, transports: list[str], auth: Mapping[str, str]) -> None: ...
    async def emit(self, event: str, data: object) -> None: ...
    async def call(self, event: str, data: object) -> Any: ...
    async def close(self) -> None: ...


class NodeWire:
    """npm's socket.io-client, in a Node process of its own that runs `script`."""

    script = "client.mjs"

    def __init__(self) -> None:
        self.inbox = Inbox()
        self.transport = ""
        self._ids = itertools.count()
        self._answers: dict[int, asyncio.Future[Any]] = {}

    async def open(self, url: str, transports: list[str], auth: Mapping[str, str]) -> None:
        await self.start(url, {"transports": transports, "auth": dict(auth)})

    async def start(self, url: str, options: Mapping[str, Any]) -> None:
        """Connect with the library's own options. Raises Refused."""
        script = Path(__file__).with_name(self.script)
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(
            "node", str(script), stdin=pipe, stdout=pipe, limit=16 * 1024 * 1024
        )
        self._reading = asyncio.create_task(self._read())
        command = {"do": "open", "url": url, "options": dict(options)}
        try:
            self.transport = await self._command(command)
        except Refused:
            await self._end()
            raise

    async def emit(self, event: str, data: object) -> None:
        await self._command({"do": "emit", "args": [event, data]})

    async def call(self, event: str, data: object) -> Any:
        timeout_ms = int(TIMEOUT_S * 1000)
        command = {"do": "call", "args": [event, data], "timeoutMs": timeout_ms}
        return await self._command(command)

    async def close(self) -> None:
        await self._command({"do": "close"})
        await self._end()

    async def _command(self, command: dict[str, Any]) -> Any:
        number = next(self._ids)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(command | {"id": number}).encode() + b"\n")
        return await answer

    async def _read(self) -> None:
        assert self._process.stdout is not None
        async for text in self._process.stdout:
            line = json.loads(text)
            if "heard" in line:
                await self.inbox.put(line["heard"], line["args"])
                continue
            answer = self._answers.pop(line["id"])
            if "error" in line:
                answer.set_exception(Refused(line["error"], line["data"]))
            else:
                answer.set_result(line["ok"])

    async def _end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()
        await self._reading


class SeedWire(NodeWire):
    """socket.io-client 1.7.3, the seed's: Engine.IO 3, Socket.IO 4; it comes back by itself."""

    script = "seed.mjs"

    async def open(self, url: str, transports: list[str], auth: Mapping[str, str]) -> None:
        delays = {"reconnectionDelay": 50, "reconnectionDelayMax": 200, "randomizationFactor": 0}
        await self.start(url, {"transports": transports, "reconnection": True} | delays)

    async def drop(self) -> None:
        """Cut the network below the client, which finds its way back."""
        await self._command({"do": "drop"})


class PythonWire:
    """python-socketio's AsyncClient."""

    def __init__(self) -> None:
        self.inbox = Inbox()
        self.transport = ""

    async def open(self, url: str, transports: list[str], auth: Mapping[str, str]) -> None:
        self._http = aiohttp.ClientSession()
        self._client = socketio.AsyncClient(reconnection=False, http_session=self._http)
        self._client.on("*", self._heard)
        self._client.on("disconnect", self._disconnected)
        self._client.on("connect_error", self._connect_error)
        self._refusal: Refused | None = None
        try:
            await self._client.connect(
                url, transports=transports, auth=dict(auth), wait_timeout=TIMEOUT_S
            )
        except socketio.exceptions.ConnectionError:
            await self._end()
            if self._refusal is None:
                raise
            raise self._refusal from None
        self.transport = self._client.transport()

    async def emit(self, event: str, data: object) -> None:
        await self._client.emit(event, data)

    async def call(self, event: str, data: object) -> Any:
        return await self._client.call(event, data, timeout=TIMEOUT_S)

    async def close(self) -> None:
        await self._client.disconnect()
        await self._end()

    async def _end(self) -> None:
        await self._client.shutdown()
        await self._http.close()

    async def _heard(self, name: str, *args: Any) -> None:
        await self.inbox.put(name, list(args))

    async def _disconnected(self, reason: str) -> None:
        await self.inbox.put("disconnect", [reason])

    async def _connect_error(self, error: Any = None) -> None:
        if isinstance(error, dict):
            self._refusal = Refused(error.get("message", ""), error.get("data"))

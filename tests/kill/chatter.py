"""A sender and a receiver that do what the protocol asks of clients, and outlive their server."""

from __future__ import annotations

import asyncio
import json
import socket
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import Any, Final

import aiohttp

RECONNECT_S: Final = 0.02
WINDOW: Final = 8
"""Messages of one conversation on their way at once; the order of sending is kept all the same."""

Step = Callable[[aiohttp.ClientWebSocketResponse], Any]


class Chatter:
    """A user's connection, opened again whenever it breaks, until its task is cancelled.

    `silence_s`: a server that says nothing for so long, no ping either, counts as gone. `joined`
    is set each time it has joined.
    """

    silence_s: float = 60.0

    def __init__(self, http: aiohttp.ClientSession, url: str, uid: str, token: str) -> None:
        self.uid = uid
        self.done = asyncio.Event()
        self.joined = asyncio.Event()
        self.connections = 0
        self._http = http
        self._url = f"{url}/socket.io/?EIO=4&transport=websocket"
        self._token = token
        self._socket: aiohttp.ClientWebSocketResponse | None = None

    def cut(self) -> None:
        """Cut the connection as a network does: without a word of WebSocket."""
        own = None if self._socket is None else self._socket.get_extra_info("socket")
        if own is not None:
            with suppress(OSError):  # The server, or an earlier cut, was quicker.
                own.shutdown(socket.SHUT_RDWR)

    async def run(self) -> None:
        """Be connected as often as it takes, for ever."""
        while True:
            with suppress(aiohttp.ClientError, ConnectionError, TimeoutError):
                async with await self._connect() as self._socket:
                    await self._live(self._socket)
            await asyncio.sleep(RECONNECT_S)

    async def _connect(self) -> aiohttp.ClientWebSocketResponse:
        patience = aiohttp.ClientWSTimeout(ws_receive=self.silence_s, ws_close=1.0)
        async with asyncio.timeout(self.silence_s):
            return await self._http.ws_connect(self._url, timeout=patience)

    async def _live(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        packets = self._packets(ws)
        await ws.send_str("40" + json.dumps({"token": self._token}))
        async for packet in packets:
            if packet.startswith("40"):
                await self._emit(ws, 0, "join", self._joining())
            elif packet.startswith("430["):
                assert json.loads(packet[3:])[0]["ok"] is True, packet
                self.connections += 1
                self.joined.set()
                await self._joined(ws)
            elif packet.startswith("43"):
                await self._acked(ws, json.loads(packet[packet.index("[") :])[0])
            elif packet.startswith("42"):
                self._heard(*json.loads(packet[2:]))
            elif packet.startswith("44"):
                assert json.loads(packet[2:])["data"]["code"] == "unavailable", packet
                return

    async def _packets(self, ws: aiohttp.ClientWebSocketResponse) -> AsyncIterator[str]:
        async for frame in ws:
            if frame.type is not aiohttp.WSMsgType.TEXT:
                return
            if frame.data == "2":
                await ws.send_str("3")
            else:
                yield frame.data

    @staticmethod
    async def _emit(
        ws: aiohttp.ClientWebSocketResponse, number: int, event: str, data: object
    ) -> None:
        await ws.send_str(f"42{number}{json.dumps([event, data])}")

    def _joining(self) -> dict[str, Any]:
        return {"device": self.uid, "cursors": {}}

    async def _joined(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        """The connection is live."""

    async def _acked(self, ws: aiohttp.ClientWebSocketResponse, ack: dict[str, Any]) -> None:
        """An emit was answered."""

    def _heard(self, event: str, data: dict[str, Any]) -> None:
        """An event came."""


class Sender(Chatter):
    """Sends without end; after a break it sends again, in order, what was not acked."""

    def __init__(
        self, http: aiohttp.ClientSession, url: str, uid: str, token: str, to: str
    ) -> None:
        super().__init__(http, url, uid, token)
        self.acked: dict[str, int] = {}
        self.sent: list[str] = []
        self.resent = 0
        self._to = to
        self._waiting: deque[str] = deque()
        self._finishing = False

    def finish(self) -> None:
        """Begin nothing new; be done when the last is acked."""
        self._finishing = True

    async def _joined(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        self.resent += len(self._waiting)
        for msg_id in tuple(self._waiting):
            await self._send(ws, msg_id)
        await self._fill(ws)

    async def _acked(self, ws: aiohttp.ClientWebSocketResponse, ack: dict[str, Any]) -> None:
        assert ack["ok"] is True, ack
        assert ack["MsgID"] == self._waiting.popleft()
        self.acked[ack["MsgID"]] = ack["Seq"]
        await self._fill(ws)

    async def _fill(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        if self._finishing:
            if not self._waiting:
                self.done.set()
            return
        while len(self._waiting) < WINDOW:
            msg_id = f"m{len(self.sent) + 1}"
            self.sent.append(msg_id)
            self._waiting.append(msg_id)
            await self._send(ws, msg_id)

    async def _send(self, ws: aiohttp.ClientWebSocketResponse, msg_id: str) -> None:
        envelope = {
            "EvtType": "message", "From": self.uid, "Originated": "", "To": self._to,
            "MsgID": msg_id, "Timestamp": 0, "Body": f"body of {msg_id}",
        }  # fmt: skip
        await self._emit(ws, 1, "chat", envelope)


class Receiver(Chatter):
    """Keeps its place in one conversation: the next entry is taken, a lower one is a copy."""

    def __init__(
        self, http: aiohttp.ClientSession, url: str, uid: str, token: str, conv: str
    ) -> None:
        super().__init__(http, url, uid, token)
        self.seen: list[str] = []
        self.copies = 0
        self._conv = conv
        self._until: int | None = None

    def finish(self, last: int) -> None:
        """Be done when the entry `last` was seen."""
        self._until = last
        if len(self.seen) >= last:
            self.done.set()

    def _joining(self) -> dict[str, Any]:
        return super()._joining() | {"cursors": {self._conv: len(self.seen)}}

    def _heard(self, event: str, data: dict[str, Any]) -> None:
        assert event == "chat", (event, data)
        if data["ConvID"] != self._conv or data["EvtType"] != "message":
            assert data["EvtType"] != "skip" or data["ConvID"] != self._conv, data
            return
        if data["Seq"] <= len(self.seen):
            self.copies += 1
            return
        assert data["Seq"] == len(self.seen) + 1, f"a gap after {len(self.seen)}: {data}"
        self.seen.append(data["MsgID"])
        if self._until is not None:
            self.finish(self._until)

"""A WebSocket that speaks Socket.IO packets by hand, for what no library would send."""

from __future__ import annotations

import asyncio
import json
import socket
from typing import Any

import aiohttp

from tests.wire.people import Town


class RawSocket:
    """One connection; the caller owns the aiohttp session it lives in."""

    def __init__(self, town: Town, http: aiohttp.ClientSession) -> None:
        self._town = town
        self._http = http

    async def open(self, uid: str) -> None:
        """Connect, log in as `uid` and join in the full form without cursors."""
        url = self._town.server.url + "/socket.io/?EIO=4&transport=websocket"
        self.websocket = await self._http.ws_connect(url)
        await self.until("0")
        await self.send("40" + json.dumps({"token": self._town.token(uid)}))
        await self.until("40")
        await self.send('420["join",{"device":"d","cursors":{}}]')
        await self.until("430")

    async def send(self, packet: str) -> None:
        """Send a text frame."""
        await self.websocket.send_str(packet)

    async def until(self, beginning: str) -> str:
        """Read text frames until one begins so, and return it."""
        while True:
            packet = await self.websocket.receive_str(timeout=10)
            if packet.startswith(beginning):
                return packet

    async def until_closed(self) -> tuple[int | None, list[str]]:
        """Read until the server closes: (close code, the text frames on the way)."""
        packets: list[str] = []
        while True:
            frame = await self.websocket.receive(timeout=10)
            if frame.type is not aiohttp.WSMsgType.TEXT:
                return self.websocket.close_code, packets
            packets.append(frame.data)

    async def until_containing(self, text: str) -> str:
        """Read text frames until one contains `text`, and return it."""
        while text not in (packet := await self.until("")):
            pass
        return packet

    def stop_reading(self) -> None:
        """Take nothing more from the network, as a suspended device does."""
        self._reading().pause_reading()

    def go_on_reading(self) -> None:
        """Take what comes again."""
        self._reading().resume_reading()

    def _reading(self) -> asyncio.ReadTransport:
        transport = self.websocket._response.connection.transport  # type: ignore[union-attr]
        assert isinstance(transport, asyncio.ReadTransport)
        return transport

    def die(self) -> None:
        """Cut the TCP connection, without a word of WebSocket."""
        self.websocket.get_extra_info("socket").shutdown(socket.SHUT_RDWR)


def errors_in(packets: list[str]) -> list[Any]:
    """The `error` objects of `error` events among packets."""
    events = [json.loads(packet[2:]) for packet in packets if packet.startswith("42[")]
    return [args[0]["error"] for name, *args in events if name == "error"]

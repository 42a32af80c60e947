"""A client of bare bytes: HTTP requests and WebSocket frames written and read by hand."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

_KEY = b"\x01\x02\x03\x04"
TIMEOUT_S = 5.0


def frame(first: int, payload: bytes) -> bytes:
    """A masked frame."""
    size = len(payload)
    if size <= 125:
        head = bytes((first, 0x80 | size))
    elif size <= 0xFFFF:
        head = bytes((first, 0xFE)) + size.to_bytes(2, "big")
    else:
        head = bytes((first, 0xFF)) + size.to_bytes(8, "big")
    return head + _KEY + bytes(byte ^ _KEY[at % 4] for at, byte in enumerate(payload))


def text(message: str) -> bytes:
    return frame(0x81, message.encode())


def upgrade_request(path: str, headers: Mapping[str, str] | None = None) -> bytes:
    fields = {
        "Host": "localhost",
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": base64.b64encode(bytes(16)).decode(),
        **(headers or {}),
    }
    lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


@dataclass(frozen=True)
class Answer:
    """An HTTP answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Wire:
    """One TCP connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def connect(cls, port: int) -> Self:
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        self.writer.close()

    def write(self, data: bytes) -> None:
        self.writer.write(data)

    def say(self, *messages: str | bytes) -> None:
        """Send text (str) and binary (bytes) messages, all in one write."""
        self.write(
            b"".join(
                text(message) if isinstance(message, str) else frame(0x82, message)
                for message in messages
            )
        )

    async def answer(self) -> Answer:
        """Read an HTTP answer that tells its length."""
        async with asyncio.timeout(TIMEOUT_S):
            head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            status_line, *lines = head.strip().split("\r\n")
            headers = {}
            for line in lines:
                name, _, value = line.partition(":")
                headers[name.lower()] = value.strip()
            body = await self.reader.readexactly(int(headers.get("content-length", "0")))
        return Answer(int(status_line.split()[1]), headers, body)

    async def frame(self) -> tuple[int, bytes]:
        """Read one frame: opcode, payload."""
        async with asyncio.timeout(TIMEOUT_S):
            first, second = await self.reader.readexactly(2)
            assert not second & 0x80, "servers do not mask"
            size = second
            if size == 126:
                size = int.from_bytes(await self.reader.readexactly(2), "big")
            elif size == 127:
                size = int.from_bytes(await self.reader.readexactly(8), "big")
            return first & 0x0F, await self.reader.readexactly(size)

    async def message(self) -> str | bytes:
        """Read one message."""
        opcode, payload = await self.frame()
        assert opcode in (1, 2), f"opcode {opcode}: {payload!r}"
        return payload.decode() if opcode == 1 else payload

    async def closed(self) -> tuple[int, str]:
        """Read up to the close frame and what follows it: (code, reason)."""
        while True:
            opcode, payload = await self.frame()
            if opcode == 8:
                return int.from_bytes(payload[:2], "big"), payload[2:].decode()

    async def ended(self) -> bytes:
        """Read until the server ends the connection."""
        async with asyncio.timeout(TIMEOUT_S):
            return await self.reader.read()


async def websocket(
    port: int, path: str, *, headers: Mapping[str, str] | None = None, rest: bytes = b""
) -> Wire:
    """A WebSocket; `rest` is sent in the same write as the request."""
    wire = await Wire.connect(port)
    wire.write(upgrade_request(path, headers) + rest)
    answer = await wire.answer()
    assert answer.status == 101, answer
    return wire


async def request(
    port: int,
    method: str,
    path: str,
    *,
    body: bytes | str = b"",
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """One HTTP request on a connection of its own."""
    content = body.encode() if isinstance(body, str) else body
    fields = {"Host": "localhost", "Content-Length": str(len(content)), **(headers or {})}
    lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    async with await Wire.connect(port) as wire:
        wire.write(("\r\n".join(lines) + "\r\n\r\n").encode() + content)
        return await wire.answer()


async def polling_session(port: int, path: str) -> str:
    """Open a polling session; its id."""
    answer = await request(port, "GET", f"{path}?EIO=4&transport=polling")
    assert answer.status == 200, answer
    return str(json.loads(answer.body[1:])["sid"])


async def eventually(holds: Callable[[], bool]) -> None:
    """Return once `holds` says so; fail after a while."""
    async with asyncio.timeout(2 * TIMEOUT_S):
        while not holds():  # noqa: ASYNC110  (what is awaited has no event)
            await asyncio.sleep(0.005)

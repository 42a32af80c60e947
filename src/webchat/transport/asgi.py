"""ASGI's words, and what every application on it needs: bodies read within bounds, answers sent."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Fields = list[tuple[bytes, bytes]]

CLOSE: Final = (b"connection", b"close")
"""The field of an answer to who may still be sending."""


class BodyRefused(Exception):  # noqa: N818
    """A body is over its limit (413) or takes too long (408)."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


async def read_body(receive: Receive, max_bytes: int, timeout_s: float) -> bytes | None:
    """The whole body; None: its client went away. Raises BodyRefused: the rest may still come."""
    try:
        async with asyncio.timeout(timeout_s):
            return await _body(receive, max_bytes)
    except TimeoutError:
        raise BodyRefused(408) from None
    except _Disconnected:
        return None


async def gone(receive: Receive) -> None:
    """Return once the client went away, or has its answer."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def respond(send: Send, status: int, body: bytes, fields: Fields) -> None:
    """Answer in one piece."""
    if status != 204:
        fields = [*fields, (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": body})


class _Disconnected(Exception):  # noqa: N818
    """The client went away before its request was complete."""


async def _body(receive: Receive, max_bytes: int) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _Disconnected
        body += message.get("body", b"")
        if len(body) > max_bytes:
            raise BodyRefused(413)
        if not message.get("more_body", False):
            return bytes(body)

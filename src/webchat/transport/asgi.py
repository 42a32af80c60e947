"""ASGI's words, and what every application on it needs: bodies read within bounds, answers sent."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Fields = list[tuple[bytes, bytes]]

_CLOSE: Final = (b"connection", b"close")


async def read_body(
    receive: Receive, send: Send, max_bytes: int, timeout_s: float, fields: Fields
) -> bytes | None:
    """The whole body; None: it was refused (413, 408; with `fields`), or its client went away."""
    try:
        async with asyncio.timeout(timeout_s):
            return await _body(receive, max_bytes)
    except _TooLarge:
        await respond(send, 413, b"", [*fields, _CLOSE])
    except TimeoutError:
        await respond(send, 408, b"", [*fields, _CLOSE])
    except _Disconnected:
        pass
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


class _TooLarge(Exception):  # noqa: N818
    """A body is over the limit."""


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
            raise _TooLarge
        if not message.get("more_body", False):
            return bytes(body)

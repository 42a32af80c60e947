"""Engine.IO's HTTP long-polling, as an ASGI application.

Source: engine.io-protocol, "HTTP long-polling"; the answers' codes are engine.io's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, Final

from webchat.session.connection import Connection, State
from webchat.session.endpoint import Busy, Endpoint
from webchat.session.handler import Request
from webchat.session.poll import DuplicatePoll
from webchat.transport.admission import Refusal, Refused, Unavailable, admit, find
from webchat.transport.headers import Headers
from webchat.transport.origins import cors_headers
from webchat.transport.proxy import Proxies

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Fields = list[tuple[bytes, bytes]]

_TEXT: Final = (b"content-type", b"text/plain; charset=UTF-8")
_NO_STORE: Final = (b"cache-control", b"no-store")
_PREFLIGHT_AGE_S: Final = b"600"


class TooLarge(Exception):  # noqa: N818
    """A body is over the limit."""


class Disconnected(Exception):  # noqa: N818
    """The client went away before its request was complete."""


class Polling:
    """GET polls, POST sends, OPTIONS asks whether a page of another origin may."""

    def __init__(self, endpoint: Endpoint, proxies: Proxies, body_timeout_ms: int) -> None:
        self._endpoint = endpoint
        self._proxies = proxies
        self._body_timeout_s = body_timeout_ms / 1000

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        headers = Headers(scope["headers"])
        peer = scope["client"][0] if scope["client"] else ""
        client = self._proxies.resolve(peer, headers, secure=scope["scheme"] == "https")
        fields: Fields = [_NO_STORE]
        try:
            if self._endpoint.origin_allowed(headers, client.secure):
                fields += cors_headers(headers)
            if scope["method"] == "OPTIONS" and len(fields) > 1:
                await _respond(send, 204, b"", [*fields, *_preflight(headers)])
                return
            request = admit(self._endpoint, headers, scope["query_string"], client, "polling")
            await self._serve(scope["method"], request, receive, send, fields)
        except Refused as refused:
            await _respond(send, refused.status, refused.body, [*fields, *refused.headers])

    async def _serve(
        self, method: str, request: Request, receive: Receive, send: Send, fields: Fields
    ) -> None:
        connection = find(self._endpoint, request)
        if connection is None:
            if method != "GET":
                raise Refused(Refusal.BAD_METHOD)
            connection = self._open(request)
        elif connection.state is State.WEBSOCKET:
            # Not at once: the refusal must not overtake the probe's answer on the WebSocket.
            await asyncio.sleep(self._endpoint.settings.late_poll_delay_ms / 1000)
            raise Refused(Refusal.BAD_REQUEST)
        elif method not in ("GET", "POST"):
            raise Refused(Refusal.BAD_REQUEST)
        if method == "GET":
            await _poll(connection, receive, send, fields)
        else:
            await self._post(connection, receive, send, fields)

    def _open(self, request: Request) -> Connection:
        try:
            return self._endpoint.open(request)
        except Busy as busy:
            raise Unavailable(busy) from None

    async def _post(
        self, connection: Connection, receive: Receive, send: Send, fields: Fields
    ) -> None:
        try:
            async with asyncio.timeout(self._body_timeout_s):
                body = await _read(receive, self._endpoint.settings.max_payload_bytes)
        except TooLarge:
            await _respond(send, 413, b"", [*fields, (b"connection", b"close")])
        except TimeoutError:
            await _respond(send, 408, b"", [*fields, (b"connection", b"close")])
        except Disconnected:
            return
        else:
            if not connection.is_open or not connection.payload(body):
                raise Refused(Refusal.BAD_REQUEST)
            await _respond(send, 200, b"ok", [*fields, (b"content-type", b"text/html")])


async def _poll(connection: Connection, receive: Receive, send: Send, fields: Fields) -> None:
    try:
        body = connection.poll()
    except DuplicatePoll:
        raise Refused(Refusal.BAD_REQUEST) from None
    if not body.done():
        await _wait(connection, body, receive)
    if not body.cancelled():
        await _respond(send, 200, body.result(), [*fields, _TEXT])


async def _wait(connection: Connection, body: asyncio.Future[bytes], receive: Receive) -> None:
    """Until the poll has its answer, or its client went away."""
    gone = asyncio.ensure_future(_gone(receive))
    try:
        await asyncio.wait((body, gone), return_when=asyncio.FIRST_COMPLETED)
    finally:
        gone.cancel()
        connection.poll_lost(body)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _read(receive: Receive, max_bytes: int) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        body += message.get("body", b"")
        if len(body) > max_bytes:
            raise TooLarge
        if not message.get("more_body", False):
            return bytes(body)


def _preflight(headers: Headers) -> Iterable[tuple[bytes, bytes]]:
    yield b"access-control-allow-methods", b"GET, POST, OPTIONS"
    yield b"access-control-max-age", _PREFLIGHT_AGE_S
    if "access-control-request-headers" in headers:
        asked = headers["access-control-request-headers"]
        yield b"access-control-allow-headers", asked.encode("latin-1")


async def _respond(send: Send, status: int, body: bytes, fields: Fields) -> None:
    if status != 204:
        fields = [*fields, (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": body})

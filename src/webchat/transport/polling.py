"""Engine.IO's HTTP long-polling, as an ASGI application.

Source: engine.io-protocol, "HTTP long-polling"; the answers' codes are engine.io's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Final

from webchat.session.connection import Connection, State
from webchat.session.endpoint import Busy, Endpoint
from webchat.session.handler import Request
from webchat.session.poll import DuplicatePoll, DuplicatePost
from webchat.transport.admission import Refusal, Refused, Unavailable, admit, find
from webchat.transport.asgi import (
    CLOSE,
    BodyRefused,
    Fields,
    Receive,
    Scope,
    Send,
    gone,
    read_body,
    respond,
)
from webchat.transport.headers import Headers
from webchat.transport.node_links import NoAnswer
from webchat.transport.origins import cors_headers
from webchat.transport.proxy import Caller, Proxies
from webchat.transport.relay import IS_RELAYED, Relay

_TEXT: Final = (b"content-type", b"text/plain; charset=UTF-8")
_ALWAYS: Final = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
)
"""Of every answer: what people say is in them, and a browser that opens one must not run it."""
_PREFLIGHT_AGE_S: Final = b"600"


class Polling:
    """GET polls, POST sends, OPTIONS asks whether a page of another origin may.

    `relay`: passes on what belongs to a session of another node; None: there are no other nodes.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        proxies: Proxies,
        body_timeout_ms: int,
        relay: Relay | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._proxies = proxies
        self._body_timeout_s = body_timeout_ms / 1000
        self._relay = relay

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        headers = Headers(scope["headers"])
        client = self._proxies.client_of(scope, headers)
        fields: Fields = [*_ALWAYS]
        try:
            if self._endpoint.origin_allowed(headers, client.secure):
                fields += cors_headers(headers)
            if scope["method"] == "OPTIONS" and len(fields) > len(_ALWAYS):
                await respond(send, 204, b"", [*fields, *_preflight(headers)])
                return
            request = admit(self._endpoint, headers, scope["query_string"], client, "polling")
            relay = None if IS_RELAYED in scope else self._relay
            sid = None if relay is None else relay.where.elsewhere(self._endpoint, request)
            if relay is not None and sid is not None:
                await _pass_on(relay, scope, receive, send, client, sid)
            else:
                await self._serve(scope["method"], request, receive, send, fields)
        except Refused as refused:
            await respond(send, refused.status, refused.body, [*fields, *refused.headers])
        except BodyRefused as refused:
            await respond(send, refused.status, b"", [*fields, CLOSE])

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
            try:
                with connection.posting():
                    is_taken = await self._post(connection, receive)
            except DuplicatePost:
                raise Refused(Refusal.BAD_REQUEST) from None
            if is_taken:
                await respond(send, 200, b"ok", [*fields, (b"content-type", b"text/html")])

    def _open(self, request: Request) -> Connection:
        try:
            return self._endpoint.open(request)
        except Busy as busy:
            raise Unavailable(busy) from None

    async def _post(self, connection: Connection, receive: Receive) -> bool:
        """Whether it is still to be answered, with `ok`."""
        body = await read_body(receive, connection.max_bytes, self._body_timeout_s)
        if body is None:
            return False
        if not connection.is_open or not await connection.payload(body):
            raise Refused(Refusal.BAD_REQUEST)
        return True


async def _pass_on(
    relay: Relay, scope: Scope, receive: Receive, send: Send, client: Caller, sid: str
) -> None:
    urls = await relay.where.owner(sid)
    try:
        await relay.pass_on(scope, receive, send, client, urls)
    except NoAnswer:
        raise relay.unavailable() from None


async def _poll(connection: Connection, receive: Receive, send: Send, fields: Fields) -> None:
    try:
        body = connection.poll()
    except DuplicatePoll:
        raise Refused(Refusal.BAD_REQUEST) from None
    if not body.done():
        await _wait(connection, body, receive)
    if not body.cancelled():
        await respond(send, 200, body.result(), [*fields, _TEXT])


async def _wait(connection: Connection, body: asyncio.Future[bytes], receive: Receive) -> None:
    """Until the poll has its answer, or its client went away."""
    leaving = asyncio.ensure_future(gone(receive))
    try:
        await asyncio.wait((body, leaving), return_when=asyncio.FIRST_COMPLETED)
    finally:
        leaving.cancel()
        connection.poll_lost(body)


def _preflight(headers: Headers) -> Iterable[tuple[bytes, bytes]]:
    yield b"access-control-allow-methods", b"GET, POST, OPTIONS"
    yield b"access-control-max-age", _PREFLIGHT_AGE_S
    if "access-control-request-headers" in headers:
        asked = headers["access-control-request-headers"]
        yield b"access-control-allow-headers", asked.encode("latin-1")

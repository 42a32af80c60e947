"""HTTP/1.1 connections: uvicorn's own, with bounds on their heads and a hand-over to WebSocket.

uvicorn gives the hand-over no bytes that came with the request, and heads neither a bound nor a
time: both are done here, on the httptools protocol it is made of.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any

import httptools
import uvicorn
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from webchat.protocol.handshake import HandshakeRefused, accept
from webchat.session.deadlines import Deadlines
from webchat.session.endpoint import Busy, Endpoint
from webchat.session.handler import Request
from webchat.session.pacing import Pacing
from webchat.transport.admission import Refused, Unavailable, admit, find
from webchat.transport.headers import Headers
from webchat.transport.proxy import Client, Proxies
from webchat.transport.relay import Relay, Urls, aim, elsewhere
from webchat.transport.to_role import ToRole
from webchat.transport.websocket import WebSocket


@dataclass(frozen=True, slots=True)
class Hosting:
    """What all connections of a site share. `passed_on`: paths that other nodes serve for it;
    `pacing`: of the first that each connection says."""

    endpoints: Mapping[str, Endpoint]
    passed_on: Mapping[str, ToRole]
    relay: Relay | None
    proxies: Proxies
    max_head_bytes: int
    heads: Deadlines[HttpProtocol]
    closing: Deadlines[WebSocket]
    pacing: Pacing

    def endpoint(self, path: str) -> Endpoint | None:
        """Whose path it is, with or without a trailing slash."""
        return self.endpoints.get(path.rstrip("/"))


class HostingConfig(uvicorn.Config):
    """uvicorn's settings, and ours on the way to each connection."""

    hosting: Hosting


class HttpProtocol(HttpToolsProtocol):
    """One TCP connection while it speaks HTTP."""

    def __init__(
        self,
        config: HostingConfig,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._hosting = config.hosting
        self._head_bytes = 0
        self._in_head = True
        self._has_begun = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has to send its first request in time.

        Not uvicorn's own, for which uvloop makes a socket that it keeps with its addresses: 300
        bytes a connection.
        """
        self.connections.add(self)
        self.transport = transport
        self.flow = FlowControl(transport)
        self.server = _address(transport, "sockname")
        self.client = _address(transport, "peername")
        self.scheme = "http"
        self._hosting.heads.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone."""
        self._hosting.heads.discard(self)
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """Each further request has to come in time, too."""
        super().on_message_begin()
        self._head_bytes, self._in_head = 0, True
        self._hosting.heads.add(self)

    def on_headers_complete(self) -> None:
        """The head is complete."""
        self._in_head = False
        self._hosting.heads.discard(self)
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        """Bytes came, cut anywhere. A new connection's first are read when it is its turn."""
        if self._has_begun:
            self._read(data)
            return
        self._has_begun = True
        if not self._hosting.pacing.begin(partial(self._begin, data)):
            self.flow.pause_reading()
            # It waits for the server: whoever is cut off for that comes again, to wait longer.
            self._hosting.heads.discard(self)

    def _begin(self, data: bytes) -> None:
        if not self.transport.is_closing():
            self._hosting.heads.add(self)
            self.flow.resume_reading()
            self._read(data)

    def _read(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            if self._should_upgrade():
                self._begin_websocket(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            self.send_400_response("Invalid HTTP request received.")
        else:
            self._check_head(len(data))

    def abort(self) -> None:
        """The head of a request takes too long."""
        self.transport.abort()

    def _check_head(self, received_bytes: int) -> None:
        if not self._in_head:
            return
        self._head_bytes += received_bytes
        if self._head_bytes > self._hosting.max_head_bytes:
            self._answer(431, b"", ())

    def _begin_websocket(self, rest: bytes) -> None:
        """Hand the connection over; `rest` came after the request's head in the same piece."""
        try:
            wire = self._accepted()
        except Refused as refused:
            self._answer(refused.status, refused.body, refused.headers)
        except HandshakeRefused as refused:
            fields = [(name.encode(), value.encode()) for name, value in refused.headers.items()]
            self._answer(refused.status, refused.message.encode(), fields)
        else:
            # The parser and this object hold each other: let go of both at once.
            self.parser = None  # type: ignore[assignment]
            if rest:
                wire.data_received(rest)

    def _accepted(self) -> asyncio.Protocol:
        """What the connection speaks from now on. Raises Refused, HandshakeRefused."""
        path, query_string = self._target()
        if self.cycle is not None and not self.cycle.response_complete:
            raise HandshakeRefused(400, "An answer is still under way.")
        headers = Headers(self.headers)
        relayed = self._relayed_for(headers)
        client = relayed or self._hosting.proxies.resolve(
            self.client[0] if self.client else "", headers, secure=self.scheme == "https"
        )
        endpoint = self._hosting.endpoint(path)
        if endpoint is not None:
            relay = None if relayed else self._hosting.relay
            request = admit(endpoint, headers, query_string, client, "websocket")
            sid = elsewhere(endpoint, request, relay)
            if relay is not None and sid is not None:
                return self._spliced(relay, partial(relay.owner, sid), client)
            return self._begun(endpoint, request)
        to_role = self._hosting.passed_on.get(path.rstrip("/"))
        if to_role is None or relayed:
            raise HandshakeRefused(404, "There is no WebSocket here.")
        return self._spliced(to_role.relay, partial(to_role.nodes, query_string), client)

    def _begun(self, endpoint: Endpoint, request: Request) -> WebSocket:
        """A WebSocket of this node's, for a new session or for one that polled so far."""
        connection = find(endpoint, request)
        answer = accept(self.parser.get_method().decode("latin-1"), request.headers)
        if connection is None:
            _check_room(endpoint)
        wire = self._wire(endpoint, request.engine)
        self.transport.write(answer)
        if connection is None:
            endpoint.open(request, wire)
        else:
            connection.offer(wire)
        return wire

    def _spliced(self, relay: Relay, urls: Urls, client: Client) -> asyncio.Protocol:
        """The connection joined to one of another node, which answers the request."""
        head = relay.upgrade_request(self.parser.get_method(), self._aim(), self.headers, client)
        self.connections.discard(self)
        return relay.splice(
            self.transport,
            self.connections,
            head,
            urls,
            lambda refused: self._answer(refused.status, refused.body, refused.headers),
        )

    def _relayed_for(self, headers: Headers) -> Client | None:
        """Who made the request, if another node passed it on."""
        relay = self._hosting.relay
        if relay is None:
            return None
        return relay.client(self.parser.get_method(), self._aim(), headers)

    def _aim(self) -> bytes:
        """The path and the query as they came."""
        url = httptools.parse_url(self.url)
        return aim(url.path or b"", url.query or b"")

    def _target(self) -> tuple[str, bytes]:
        """The path and the query that are asked for."""
        try:
            url = httptools.parse_url(self.url)
        except httptools.HttpParserError:
            raise HandshakeRefused(400, "This is no path.") from None
        return (url.path or b"").decode("latin-1"), url.query or b""

    def _wire(self, endpoint: Endpoint, engine: int) -> WebSocket:
        self.connections.discard(self)
        settings = endpoint.settings
        wire = WebSocket(
            self.transport,
            self.connections,
            self._hosting.closing,
            engine,
            settings.max_payload_bytes,
        )
        self.transport.set_write_buffer_limits(high=settings.low_water_bytes)
        self.transport.set_protocol(wire)
        return wire

    def _answer(self, status: int, body: bytes, fields: Iterable[tuple[bytes, bytes]]) -> None:
        """Answer without the application, and close."""
        own = [(b"content-length", b"%d" % len(body)), (b"connection", b"close")]
        lines = [b"HTTP/1.1 %d %b" % (status, HTTPStatus(status).phrase.encode())]
        lines += [
            b"%b: %b" % field for field in (*self.server_state.default_headers, *fields, *own)
        ]
        self.transport.write(b"\r\n".join((*lines, b"", body)))
        self.transport.close()


def _address(transport: asyncio.Transport, end: str) -> tuple[str, int] | None:
    found = transport.get_extra_info(end)
    return (found[0], found[1]) if isinstance(found, tuple) else None


def _check_room(endpoint: Endpoint) -> None:
    try:
        endpoint.check_room(websocket=True)
    except Busy as busy:
        raise Unavailable(busy) from None

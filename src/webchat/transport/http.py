"""HTTP/1.1 connections: uvicorn's own, with bounds and times, and a hand-over to WebSocket.

uvicorn gives the hand-over no bytes that came with the request, and neither heads nor trailers nor
readers a bound or a time: all of it is done here, on the httptools protocol it is made of.
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
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from webchat.protocol.handshake import HandshakeRefused, accept
from webchat.session.deadlines import Deadlines
from webchat.session.endpoint import Endpoint
from webchat.session.handler import Request
from webchat.session.pacing import Pacing, Sharing
from webchat.transport.admission import Refused, admit, check_room, find
from webchat.transport.headers import Headers
from webchat.transport.proxy import Caller, Proxies
from webchat.transport.relay import Relay, aim
from webchat.transport.to_role import ToRole
from webchat.transport.unread import unread_bytes
from webchat.transport.websocket import WebSocket, WebSocketV3
from webchat.transport.whereabouts import Urls


@dataclass(frozen=True, slots=True)
class Hosting:
    """What all connections of a site share. `passed_on`: paths that other nodes serve for it;
    `heads`: who has to send the rest of a request; `idle`: who may send the next one; `readers`:
    everybody, to be looked at for answers that nobody reads; `pacing`: of the first that each
    connection says; `pieces`: turns of those that sent much at once."""

    endpoints: Mapping[str, Endpoint]
    passed_on: Mapping[str, ToRole]
    relay: Relay | None
    proxies: Proxies
    max_head_bytes: int
    max_pipelined: int
    heads: Deadlines[HttpProtocol]
    idle: Deadlines[HttpProtocol]
    readers: Deadlines[HttpProtocol]
    closing: Deadlines[WebSocket]
    pacing: Pacing
    pieces: Sharing

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
        self._has_begun = False
        self._in_head = True
        self._is_whole = True
        """Whether no request is under way from the client: its last one came to its end."""
        self._overhead_bytes = 0
        """What came since the last piece of a body: a head, or trailers."""
        self._answered: RequestResponseCycle | None = None
        """Of the requests that came, the one whose turn it is to be answered."""
        self._unread_bytes = 0
        """Of what the client is to read, when that was last looked at; 0: it did not wait then."""

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
        self._hosting.readers.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone: who answers hears of it, and what waits for its turn is not answered."""
        self._forget_times()
        self.pipeline.clear()
        if self._answered is not None and not self._answered.response_complete:
            self._answered.disconnected = True
            self._answered.message_event.set()
        super().connection_lost(exc)

    # httptools: what the parser finds.

    def on_message_begin(self) -> None:
        """Each further request has to come in time, too."""
        super().on_message_begin()
        self._in_head, self._is_whole = True, False
        self._hosting.idle.discard(self)
        self._hosting.heads.add(self)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A field of a head; trailers, which parsers before us may not have looked at, are none.

        Not by uvicorn's own: a call less for each of a browser's fifteen.
        """
        if self._in_head:
            name = name.lower()
            if name == b"expect" and value.lower() == b"100-continue":
                self.expect_100_continue = True
            self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """The head is complete. Raises _TooMany, which ends the parsing.

        One that asks for an upgrade is dealt with when it has been read (`_read`).
        """
        self._in_head = False
        self._hosting.heads.discard(self)
        if len(self.pipeline) >= self._hosting.max_pipelined:
            raise _TooMany
        if not self.parser.should_upgrade():
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A piece of a body: its size is for the application to bound."""
        self._overhead_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """A request came to its end, mostly before its answer does."""
        if self.parser.should_upgrade():
            return
        self._is_whole, self._overhead_bytes = True, 0
        super().on_message_complete()
        if self.cycle.response_complete:
            self._hosting.heads.discard(self)
            self._hosting.idle.add(self)

    # uvicorn: what becomes of the answers.

    def on_response_complete(self) -> None:
        """The next request has its turn; if there is none, the client has to come up with it.

        Not uvicorn's own, whose timer any byte stops for good.
        """
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        elif self._is_whole:
            self._hosting.idle.add(self)
        elif not self._in_head:
            self._hosting.heads.add(self)

    def _should_upgrade(self) -> bool:
        """Whether an upgrade that the parser found is to a WebSocket.

        Not uvicorn's own, to which the last line of a `Connection` in several is all of it.
        """
        asked = [value.strip().lower() for name, value in self.headers if name == b"upgrade"]
        return asked == [b"websocket"]

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._answered = cycle
        super()._start_asgi_task(cycle, app)

    # asyncio.Protocol: what the network does with it.

    def resume_writing(self) -> None:
        """The client has read."""
        self._unread_bytes = 0
        super().resume_writing()

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
        self._overhead_bytes += len(data)
        while data:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as upgrade:
                rest = data[upgrade.args[0] :]
                if self._should_upgrade():
                    self._begin_websocket(rest)
                    return
                if self.parser.get_method() == b"CONNECT":
                    self._refuse()
                    return
                # The parser takes a request for an upgrade to have no body, and what is one for
                # the next request.
                data = self._head_without_upgrade() + rest
            except httptools.HttpParserError:
                self._refuse()
                return
            else:
                break
        if self._overhead_bytes > self._hosting.max_head_bytes:
            self._answer(431, b"", ())

    def _head_without_upgrade(self) -> bytes:
        """The head that was read last, as of an ordinary request."""
        version = self.parser.get_http_version().encode()
        lines = [b"%b %b HTTP/%b" % (self.parser.get_method(), self.url, version)]
        lines += [b"%b: %b" % field for field in self.headers if field[0] != b"upgrade"]
        return b"\r\n".join((*lines, b"", b""))

    # Deadlines: what falls due.

    def abort(self) -> None:
        """End the TCP connection at once, whatever waits to be written."""
        self.transport.abort()

    def look_at_reader(self) -> None:
        """Cut off a client of whose answers nothing has been read since the last look.

        Only while nothing is added to them: so, whatever was read shows.
        """
        is_waited_for = self.flow.write_paused or self.transport.is_closing()
        unread = unread_bytes(self.transport) if is_waited_for else 0
        if unread and 0 < self._unread_bytes <= unread:
            self.abort()
            return
        self._unread_bytes = unread
        self._hosting.readers.add(self)

    def _forget_times(self) -> None:
        self._hosting.heads.discard(self)
        self._hosting.idle.discard(self)
        self._hosting.readers.discard(self)

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
            self._forget_times()
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
            sid = None if relay is None else relay.where.elsewhere(endpoint, request)
            if relay is not None and sid is not None:
                return self._spliced(relay, partial(relay.where.owner, sid), client)
            return self._begun(endpoint, request)
        to_role = self._hosting.passed_on.get(path.rstrip("/"))
        if to_role is None or relayed:
            raise HandshakeRefused(404, "There is no WebSocket here.")
        return self._spliced(to_role.relay, partial(to_role.nodes, query_string), client)

    def _begun(self, endpoint: Endpoint, request: Request) -> WebSocket:
        """A WebSocket of this node's, for a new session or for one that polled so far."""
        if self.parser.get_http_version() != "1.1":
            raise HandshakeRefused(400, "A WebSocket begins with HTTP/1.1.")
        connection = find(endpoint, request)
        answer = accept(self.parser.get_method().decode("latin-1"), request.headers)
        if connection is None:
            check_room(endpoint)
            wire = self._wire(endpoint, request.engine, answer)
            endpoint.open(request, wire)  # says something at once
        else:
            wire = self._wire(endpoint, request.engine)
            self.transport.write(answer)
            connection.offer(wire)
        return wire

    def _spliced(self, relay: Relay, urls: Urls, client: Caller) -> asyncio.Protocol:
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

    def _relayed_for(self, headers: Headers) -> Caller | None:
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

    def _wire(self, endpoint: Endpoint, engine: int, answer: bytes = b"") -> WebSocket:
        self.connections.discard(self)
        settings, hosting = endpoint.settings, self._hosting
        shared, most_bytes = (hosting.closing, hosting.pieces), settings.max_payload_bytes
        form = WebSocket if engine == 4 else WebSocketV3
        wire = form(self.transport, self.connections, *shared, most_bytes, answer)
        self.transport.set_write_buffer_limits(high=settings.low_water_bytes)
        self.transport.set_protocol(wire)
        return wire

    def _refuse(self) -> None:
        """Answer what is no HTTP, and close."""
        if self._is_answering():
            self.abort()
        else:
            self.send_400_response("Invalid HTTP request received.")

    def _answer(self, status: int, body: bytes, fields: Iterable[tuple[bytes, bytes]]) -> None:
        """Answer without the application, and close; never in the middle of another answer."""
        if self._is_answering():
            self.abort()
            return
        own = [(b"content-length", b"%d" % len(body)), (b"connection", b"close")]
        lines = [b"HTTP/1.1 %d %b" % (status, HTTPStatus(status).phrase.encode())]
        lines += [
            b"%b: %b" % field for field in (*self.server_state.default_headers, *fields, *own)
        ]
        self.transport.write(b"\r\n".join((*lines, b"", body)))
        self.transport.close()

    def _is_answering(self) -> bool:
        cycle = self._answered
        return cycle is not None and cycle.response_started and not cycle.response_complete


class _TooMany(Exception):  # noqa: N818
    """More requests wait for the answer to an earlier one than anybody sends in good faith."""


def _address(transport: asyncio.Transport, end: str) -> tuple[str, int] | None:
    found = transport.get_extra_info(end)
    return (found[0], found[1]) if isinstance(found, tuple) else None

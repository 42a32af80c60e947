"""Passing requests on to other nodes, by HTTP or as two connections joined, and taking theirs.

Needs neither the store nor the bus. See docs/adr/0006-relay.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, MutableSet, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from webchat.ports.clock import Clock
from webchat.ports.nodes import NodeRow
from webchat.session.endpoint import Busy
from webchat.session.sids import Sids
from webchat.transport.admission import Refusal, Refused, Unavailable
from webchat.transport.asgi import Fields, Receive, Scope, Send, gone, read_body
from webchat.transport.headers import Headers
from webchat.transport.marks import REPLACED, Forged, Marks
from webchat.transport.node_links import (
    Broken,
    NodeLink,
    NodeLinks,
    NodeLinkSettings,
    Unreachable,
)
from webchat.transport.proxy import Caller
from webchat.transport.splice import Splice, Splices
from webchat.transport.whereabouts import OtherNodes, Urls, Whereabouts

IS_RELAYED: Final = "webchat.is_relayed"
"""In the scope of a request that another node passed on."""
NODE: Final = "x-webchat-node"
"""In the answer to `/healthz`: which node it is."""

_HOP_BY_HOP: Final = frozenset(
    {
        b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding",
        b"upgrade", b"content-length", b"expect",
    }
)  # fmt: skip
# `date`: the server writes its own.
_NOT_PASSED_BACK: Final = (_HOP_BY_HOP - {b"content-length"}) | {b"date"}
_UPGRADE: Final = [(b"connection", b"Upgrade"), (b"upgrade", b"websocket")]


@dataclass(frozen=True, slots=True)
class RelaySettings:
    """Limits and times of what is passed on.

    `body_timeout_ms`: within which a request's body must be there; `retry_after_ms`: after which a
    client may come again when no node answered; `close_timeout_ms`: for the second half of a
    WebSocket whose first half has ended.
    """

    link: NodeLinkSettings = field(default_factory=NodeLinkSettings)
    max_body_bytes: int = 1_000_000
    body_timeout_ms: int = 20_000
    retry_after_ms: int = 1_000
    close_timeout_ms: int = 5_000


class Relay:
    """What this node passes on to others, over connections that it keeps open.

    `where`: which node a request is for. `requests`, `websockets`: how many it has been asked to
    pass on since the start.
    """

    def __init__(
        self, peers: OtherNodes, sids: Sids, marks: Marks, clock: Clock, settings: RelaySettings
    ) -> None:
        self.settings = settings
        self.requests = 0
        self.websockets = 0
        self.where = Whereabouts(peers, sids)
        self._marks = marks
        self._links = NodeLinks(clock, settings.link)
        self._splices = Splices(
            clock, settings.link.connect_timeout_ms / 1000, settings.close_timeout_ms / 1000
        )

    def client(self, method: bytes, target: bytes, headers: Headers) -> Caller | None:
        """Who made a request that another node passed on; None: it comes from its client.

        Raises Refused if its mark is no node's: so nothing is passed on in a circle.
        """
        try:
            return self._marks.client(method, target, headers)
        except Forged:
            raise Refused(Refusal.BAD_REQUEST) from None

    def unmark(self, scope: Scope) -> None:
        """Make a passed-on request look as it did to the node that passed it on. Raises Refused."""
        client = self.client(scope["method"].encode(), _aim(scope), Headers(scope["headers"]))
        if client is not None:
            scope["client"] = (client.address, 0)
            scope["scheme"] = "https" if client.secure else "http"
            scope[IS_RELAYED] = True

    async def pass_on(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        client: Caller,
        urls: Sequence[str],
    ) -> None:
        """Let the first node of `urls` that can be reached answer.

        When the client goes away the node hears of it. Raises BodyRefused, NoAnswer.
        """
        self.requests += 1
        settings = self.settings
        body = await read_body(receive, settings.max_body_bytes, settings.body_timeout_ms / 1000)
        if body is None:
            return
        request = self._request(scope, client, body)
        exchange = asyncio.ensure_future(self._exchange(scope["method"], request, urls, send))
        leaving = asyncio.ensure_future(gone(receive))
        try:
            await asyncio.wait((exchange, leaving), return_when=asyncio.FIRST_COMPLETED)
        finally:
            leaving.cancel()
            if not exchange.done():
                exchange.cancel()
                await asyncio.wait((exchange,))
        if not exchange.cancelled():
            exchange.result()

    def splice(
        self,
        transport: asyncio.Transport,
        connections: MutableSet[Any],
        request: bytes,
        urls: Urls,
        refuse: Callable[[Refused], object],
    ) -> asyncio.Protocol:
        """Join a client's connection to the first node of `urls` that can be reached.

        `request`: the head that the node gets (`upgrade_request`); what the client sends from now
        on follows it. `refuse` answers where `urls` raises Refused, or none of them is reached. The
        connection's new protocol.
        """
        self.websockets += 1

        async def reach(splice: Splice) -> None:
            try:
                if not await self._splices.connect(splice, await urls()):
                    refuse(self.unavailable())
            except Refused as refused:
                refuse(refused)

        return self._splices.begin(transport, connections, request, reach)

    def unavailable(self) -> Unavailable:
        """The answer where no node has answered: clients come back, to another node, soon."""
        return Unavailable(
            Busy("The session's node does not answer.", self.settings.retry_after_ms)
        )

    async def name_of(self, url: str) -> str:
        """The id of the node that is reached at `url`; "": it is no node. Raises NoAnswer."""
        request = _head(b"GET", b"/healthz", [(b"host", urlsplit(url).netloc.encode())])
        link = await self._links.take(url)
        try:
            await link.ask(request, has_body=True)
            return dict(link.fields).get(NODE.encode(), b"").decode("latin-1")
        finally:
            self._links.give_back(link)

    def upgrade_request(
        self, method: bytes, target: bytes, fields: Fields, client: Caller
    ) -> bytes:
        """The head of a passed-on upgrade to WebSocket."""
        marks = self._marks.fields(method, target, client)
        return _head(method, target, [*_passed_on(fields), *_UPGRADE, *marks])

    def forget(self, row: NodeRow) -> None:
        """A node is gone: end what is under way with it, so that clients come back at once; but not
        where another has taken its place at the same URL."""
        if self.where.is_somebody_at(row.url):
            return
        self._links.abort(row.url)
        self._splices.abort(row.url)

    async def close(self) -> None:
        """Let go of everything; to be done once the server has stopped."""
        await self._splices.close()
        self._links.close()

    def _request(self, scope: Scope, client: Caller, body: bytes) -> bytes:
        method, target = scope["method"].encode(), _aim(scope)
        kept = _passed_on(scope["headers"])
        if body or scope["method"] == "POST":
            kept.append((b"content-length", b"%d" % len(body)))
        return _head(method, target, [*kept, *self._marks.fields(method, target, client)]) + body

    async def _exchange(self, method: str, request: bytes, urls: Sequence[str], send: Send) -> None:
        link = await self._asked(method, request, urls)
        try:
            dropped = _NOT_PASSED_BACK | _connection_options(link.fields)
            fields = [field for field in link.fields if field[0] not in dropped]
            await send({"type": "http.response.start", "status": link.status, "headers": fields})
            more = True
            while more:
                piece, more = await link.piece()
                await send({"type": "http.response.body", "body": piece, "more_body": more})
        except Broken:
            # Too late for another answer: the server ends the client's connection where it stops.
            return
        finally:
            self._links.give_back(link)

    async def _asked(self, method: str, request: bytes, urls: Sequence[str]) -> NodeLink:
        """The connection on which an answer to `request` has begun. Raises Unreachable, Broken.

        What may have reached a node is never sent again, be it a GET: the answer to a poll is
        gone from its session, and the next one would hide that from the client.
        """
        link = await self._reached(urls)
        try:
            await link.ask(request, has_body=method != "HEAD")
        except BaseException:
            self._links.give_back(link)
            raise
        return link

    async def _reached(self, urls: Sequence[str]) -> NodeLink:
        for url in urls:
            try:
                return await self._links.take(url)
            except Unreachable:
                continue
        raise Unreachable


def aim(path: bytes, query_string: bytes) -> bytes:
    """What a request's line asks for; `path` as it came, with its escapes."""
    return b"%b?%b" % (path, query_string) if query_string else path


def _connection_options(fields: Iterable[tuple[bytes, bytes]]) -> set[bytes]:
    """The names of fields that were meant for the connection they came by (RFC 9110, 7.6.1)."""
    return {
        option.strip().lower()
        for name, value in fields
        if name == b"connection"
        for option in value.split(b",")
    }


def _passed_on(fields: Fields) -> Fields:
    """What of a client's header goes on to the node."""
    dropped = _HOP_BY_HOP | REPLACED | _connection_options(fields)
    return [field for field in fields if field[0] not in dropped]


def _aim(scope: Scope) -> bytes:
    return aim(scope["raw_path"], scope["query_string"])


def _head(method: bytes, target: bytes, fields: Fields) -> bytes:
    lines = [b"%b %b HTTP/1.1" % (method, target)]
    lines += [b"%b: %b" % field for field in fields]
    return b"\r\n".join((*lines, b"", b""))

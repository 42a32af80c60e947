"""Several nodes of the echo application in one process, each on a free port, joined by relays."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec

from tests.conformance.app import Echo, not_found
from webchat.adapters.memory.clock import LoopClock
from webchat.ports.nodes import NodeRow
from webchat.session.endpoint import Endpoint, EngineSettings, OriginAllowed
from webchat.session.sids import Sids
from webchat.transport.asgi import Receive, Scope, Send, read_body, respond
from webchat.transport.marks import Marks
from webchat.transport.node_links import NodeLinkSettings
from webchat.transport.origins import OwnOrListed
from webchat.transport.proxy import Proxies
from webchat.transport.relay import Relay, RelaySettings
from webchat.transport.server import Server, ServerSettings, Site, bind
from webchat.transport.to_role import ToRole

POLLING = "/engine.io/?EIO=4&transport=polling"
WEBSOCKET = "/engine.io/?EIO=4&transport=websocket"
SECRET = b"the key of this store"


@dataclass
class Table:
    """Who lives, as tests decide; the order of `rows` is that of ids. `hidden`: who is learned
    of at the next look alone."""

    rows: dict[str, NodeRow] = field(default_factory=dict)
    hidden: dict[str, NodeRow] = field(default_factory=dict)

    def url_of(self, node_id: str) -> str | None:
        row = self.rows.get(node_id)
        return None if row is None else row.url

    def living(self) -> Sequence[NodeRow]:
        return list(self.rows.values())

    def playing(self, role: str) -> Sequence[NodeRow]:
        return [row for row in self.rows.values() if role in row.roles]

    async def look_again(self) -> None:
        await asyncio.sleep(0)
        self.rows |= self.hidden
        self.hidden.clear()


@dataclass
class Running:
    """A node that runs. `requests`: what its application was asked, as it saw it."""

    id: str
    port: int
    server: Server
    engine: Endpoint
    relay: Relay
    peers: Table
    row: NodeRow
    requests: list[dict[str, Any]]


class Nodes:
    """The nodes of one store, which know each other."""

    def __init__(
        self,
        *,
        engine: EngineSettings | None = None,
        relay: RelaySettings | None = None,
        proxies: Proxies | None = None,
        allowed: OriginAllowed | None = None,
    ) -> None:
        self._engine = engine or EngineSettings()
        self._relay = relay or RelaySettings()
        self._proxies = proxies or Proxies()
        self._allowed = allowed or OwnOrListed()
        self._opened = AsyncExitStack()
        self._running: list[Running] = []

    async def add(
        self,
        node_id: str,
        *roles: str,
        allowed: OriginAllowed | None = None,
        secret: bytes = SECRET,
    ) -> Running:
        """A node that serves /engine.io and echoes every other request; a web node (role `web`)
        passes on all of it."""
        clock, peers = LoopClock(), Table()
        sids, marks = Sids(node_id, secret), Marks(secret)
        relay = Relay(peers, sids, marks, clock, self._relay)
        engine = Endpoint(
            Echo, clock, self._engine,
            origin_allowed=allowed or self._allowed, sid_factory=sids.new,
        )  # fmt: skip
        listening = bind("127.0.0.1", 0)
        port = listening.getsockname()[1]
        requests: list[dict[str, Any]] = []
        to_chat = ToRole(relay, "chat", self._proxies)
        if "web" in roles:
            site = Site(to_chat, [listening], passed_on={"/engine.io/": to_chat})
        else:
            site = Site(_echo(requests), [listening], {"/engine.io/": engine})
        server = Server([site], ServerSettings(), clock, self._proxies, relay)
        await server.start()
        row = NodeRow(node_id, "1", f"http://127.0.0.1:{port}", roles or ("chat",), "1", 1, 0)
        node = Running(node_id, port, server, engine, relay, peers, row, requests)
        self._opened.push_async_callback(relay.close)
        self._opened.push_async_callback(server.stop, 0.2)
        for other in self._running:
            other.peers.rows[node_id] = row
            peers.rows[other.id] = other.row
        self._running.append(node)
        return node

    def hide(self, node: Running) -> None:
        """The others have not heard of a node yet."""
        for other in self._running:
            if node.id in other.peers.rows:
                other.peers.hidden[node.id] = other.peers.rows.pop(node.id)

    async def lapse(self, node: Running) -> None:
        """All others hear that a node is gone."""
        for other in self._running:
            if other.peers.rows.pop(node.id, None) is not None:
                other.relay.forget(node.row)

    async def lapse_of_predecessor(self, node: Running) -> None:
        """All others hear that the process is gone which was another node where `node` is now."""
        before = msgspec.structs.replace(node.row, id=f"{node.id}-before")
        for other in self._running:
            other.relay.forget(before)

    async def close(self) -> None:
        await self._opened.aclose()


@asynccontextmanager
async def nodes(**settings: Any) -> AsyncIterator[Nodes]:
    made = Nodes(**settings)
    try:
        yield made
    finally:
        await made.close()


def quick(**link: int) -> RelaySettings:
    """Times short enough to wait for."""
    return RelaySettings(link=NodeLinkSettings(**link), close_timeout_ms=300)


def _echo(requests: list[dict[str, Any]]) -> Any:
    """Keeps what it is asked, and answers with the body it got; /big with a megabyte, /broken with
    half of what it announces."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        requests.append(dict(scope))
        if scope["path"] == "/nothing":
            await not_found(scope, receive, send)
            return
        body = await read_body(receive, 2_000_000, 5.0)
        assert body is not None
        if scope["path"] == "/broken":
            await send(_start(200_000))
            await send({"type": "http.response.body", "body": b"x" * 100_000, "more_body": True})
            return
        answer = b"x" * 1_000_000 if scope["path"] == "/big" else body
        await respond(send, 200, answer, [(b"x-echo", scope["query_string"])])

    return app


def _start(length: int) -> dict[str, Any]:
    headers = [(b"content-length", b"%d" % length)]
    return {"type": "http.response.start", "status": 200, "headers": headers}

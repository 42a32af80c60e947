"""Which other node a request is for: the one that made its session, or one that plays a role."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from webchat.ports.nodes import NodeRow
from webchat.session.endpoint import Endpoint
from webchat.session.handler import Request
from webchat.session.sids import Sids
from webchat.transport.admission import Refusal, Refused

Urls = Callable[[], Awaitable[Sequence[str]]]
"""The nodes to try, in order. May raise Refused."""


class OtherNodes(Protocol):
    """Who the other nodes are: what `service.peers` knows of them."""

    def url_of(self, node_id: str) -> str | None:
        """How to reach a node that lives; None: there is none of that id."""

    def living(self) -> Sequence[NodeRow]:
        """The nodes that live."""

    def playing(self, role: str) -> Sequence[NodeRow]:
        """The nodes that live and play `role`."""

    async def look_again(self) -> None:
        """Learn of nodes that came just now, for whoever misses one."""


class Whereabouts:
    """Finds the nodes of sessions, by what their ids say, and of roles."""

    def __init__(self, peers: OtherNodes, sids: Sids) -> None:
        self._peers = peers
        self._sids = sids
        self._turns = itertools.count()

    def elsewhere(self, endpoint: Endpoint, request: Request) -> str | None:
        """The session of `request` if another node made it, which may be gone; None: it is for this
        node to answer."""
        sid = request.query.get("sid")
        if sid is None or endpoint.find(sid) is not None:
            return None
        return None if self._sids.owner(sid) in (None, self._sids.node_id) else sid

    async def owner(self, sid: str) -> Sequence[str]:
        """The URL of the node that made `sid`. Raises Refused if none that lives did."""
        node_id = self._sids.owner(sid)
        url = self._peers.url_of(node_id) if node_id else None
        if url is None and node_id:
            await self._peers.look_again()
            url = self._peers.url_of(node_id)
        if url is None:
            raise Refused(Refusal.SESSION_UNKNOWN)
        return [url]

    def is_somebody_at(self, url: str) -> bool:
        """Whether a node that lives is reached at `url`."""
        return any(row.url == url for row in self._peers.living())

    async def players(self, role: str) -> Sequence[str]:
        """The URLs of living nodes that play `role`, another one first each time."""
        if not self._peers.playing(role):
            await self._peers.look_again()
        urls = [row.url for row in self._peers.playing(role)]
        first = next(self._turns) % len(urls) if urls else 0
        return urls[first:] + urls[:first]

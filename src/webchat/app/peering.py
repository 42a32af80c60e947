"""This node among those of its store: its lease, the keys they share, and what it passes on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import structlog

from webchat import __version__, tuning
from webchat.app.sockets import Sockets, peer_url
from webchat.config import PARTS, Settings
from webchat.errors import WebchatError
from webchat.ports.clock import Clock, pause
from webchat.ports.nodes import NodeRefused, NodeRow, Nodes
from webchat.service.node_keys import new_key
from webchat.service.peers import Peers, own_row
from webchat.session.sids import Sids
from webchat.transport.marks import Marks
from webchat.transport.node_links import NoAnswer
from webchat.transport.relay import Relay
from webchat.transport.rest.services import Check

_LOOKS_PER_LEASE: Final = 3
_log = structlog.get_logger()


class Peering:
    """Between `start` and `stop`; a store that one process serves has no peers.

    `peers`: None without them; `relay`, `sids`: None where nothing can be passed on. `compare` is
    called when another node is gone.
    """

    def __init__(
        self,
        settings: Settings,
        sockets: Sockets,
        node_id: str,
        nodes: Nodes,
        clock: Clock,
        compare: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._nodes = nodes
        self._clock = clock
        self._compare = compare
        self._node_id = node_id
        self._url = peer_url(settings, sockets)
        self.peers: Peers | None = None
        self.relay: Relay | None = None
        self.sids: Sids | None = None
        self._looking: asyncio.Task[None] | None = None

    @property
    def checks(self) -> Mapping[str, Check]:
        """What `/readyz` asks of it."""
        return {} if self.peers is None else {"nodes": self._trouble}

    async def start(self) -> None:
        """Become one of the nodes. Raises NodeRefused, WebchatError(UNAVAILABLE)."""
        settings = self._settings
        if settings.store_kind == "sqlite":
            return
        row = own_row(self._node_id, self._url, settings.parts, __version__)
        if not settings.is_bus_shared:
            await self._refuse_company()
        peers = Peers(
            self._nodes, self._clock, tuning.peer_settings(settings), row, self._on_lapsed
        )
        self.peers = peers
        await peers.start()
        if settings.is_bus_shared:
            await self._begin_to_relay(peers)

    async def _begin_to_relay(self, peers: Peers) -> None:
        keys = await self._nodes.shared_keys(new_key())
        self.sids, marks = Sids(self._node_id, *keys), Marks(*keys)
        settings = tuning.relay_settings(self._settings)
        self.relay = Relay(peers, self.sids, marks, self._clock, settings)
        self._looking = asyncio.create_task(self._look_at_keys(self.sids, marks))

    async def _look_at_keys(self, sids: Sids, marks: Marks) -> None:
        """Take other keys that are put into the store, within half a lease."""
        while True:
            await pause(self._clock, self._settings.lease_ms / 1000 / _LOOKS_PER_LEASE)
            try:
                sids.keys = marks.keys = await self._nodes.shared_keys(sids.keys[0])
            except WebchatError:
                pass  # A store that does not answer is told of by the lease.
            except Exception:
                _log.exception("the keys that nodes share were not looked at")

    async def stop(self) -> None:
        """Leave; to be done once requests are no longer served."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.gather(self._looking, return_exceptions=True)
        if self.relay is not None:
            await self.relay.close()
        if self.peers is not None:
            await self.peers.stop()

    def _on_lapsed(self, row: NodeRow) -> None:
        if self.relay is not None:
            self.relay.forget(row)
        self._compare()

    async def _trouble(self) -> str:
        if self.peers is None:
            return ""
        reasons = [await self.peers.trouble()]
        if self.relay is None:
            reasons += map(_shares_no_bus, self.peers.living())
        else:
            reasons += [*self._unplayed(self.peers), await self._unreached(self.relay)]
        return "; ".join(filter(None, reasons))

    def _unplayed(self, peers: Peers) -> list[str]:
        """The parts that this node passes on, and nobody plays."""
        missing = [part for part in PARTS if part not in self._settings.parts]
        return [
            f"no node serves {part}: start one with --role {part}, or --role all"
            for part in missing
            if not peers.playing(part)
        ]

    async def _unreached(self, relay: Relay) -> str:
        """Why other nodes do not find this one where it says; "": this one itself does."""
        try:
            found = await relay.name_of(self._url)
        except NoAnswer:
            found = None
        if found == self._node_id:
            return ""
        who = "nobody" if found is None else f"node {found}" if found else "what is no node"
        return f"{who} answers at {self._url}, where others look for this node: see --advertise"

    async def _refuse_company(self) -> None:
        """Without a bus nobody else may serve the store: rows that move are of nodes that live, the
        others are removed. Raises NodeRefused."""
        before = _beats(await self._nodes.all())
        if not before:
            return
        _log.info("another node was here: looking whether it lives")
        await pause(self._clock, self._settings.lease_ms / 1000 / 2)
        for row in await self._nodes.all():
            if _beats([row]).items() - before.items():
                raise NodeRefused(_shares_no_bus(row))
            await self._nodes.remove(row.id, row.incarnation)


def _beats(rows: Sequence[NodeRow]) -> dict[str, tuple[str, int]]:
    return {row.id: (row.incarnation, row.beat) for row in rows}


def _shares_no_bus(row: NodeRow) -> str:
    return (
        f"another node, {row.id} at {row.url}, shares this store but not a bus: "
        "give both the same --bus redis://HOST"
    )

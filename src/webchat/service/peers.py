"""The nodes that share a store: this one's lease, renewed, and the leases of its peers, watched.

No two clocks are compared to decide who lives: a lease lapses when its row's `beat` stands still
while this node reads it again and again.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
import structlog

from webchat.errors import WebchatError
from webchat.ports.clock import Clock, pause
from webchat.ports.nodes import NodeRefused, NodeRow, Nodes

_RENEWALS_PER_LEASE: Final = 3
_CLAIM_RENEWALS: Final = 1.5
"""How many renewals' time a row of the own id is watched before it counts as a dead process's."""
_LOOKS_PER_RENEWAL: Final = 10
"""How often the rows are read between two renewals at most, for whoever misses a node."""
_NODE_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,32}")
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class PeerSettings:
    """`lease_ms`: how long a node that gives no sign of life still counts as one that lives; a
    third of it is the time between two renewals. `clock_skew_ms`: by how much wall clocks may
    differ before `trouble` says so."""

    lease_ms: int = 15_000
    clock_skew_ms: int = 60_000


def new_node_id() -> str:
    """An id for a node that was given none."""
    return secrets.token_hex(4)


def own_row(node_id: str, url: str, roles: Sequence[str], version: str) -> NodeRow:
    """What this process says of itself, as another incarnation than any before.

    Raises NodeRefused unless `node_id` is 1 to 32 letters, digits, `-` and `_`.
    """
    if not _NODE_ID.fullmatch(node_id):
        raise NodeRefused(f"the node id {node_id!r} is not 1 to 32 letters, digits, - and _")
    return NodeRow(node_id, secrets.token_hex(8), url, tuple(roles), version, 0, 0)


class _Peer:
    """What is known of another node. `silent_reads`: successful ones since its `beat` moved; -1
    where the next one may come sooner than a renewal later, and so says nothing of its silence."""

    __slots__ = ("row", "silent_reads", "skew_ms")

    def __init__(self, row: NodeRow, silent_reads: int = 0) -> None:
        self.row = row
        self.silent_reads = silent_reads
        self.skew_ms = 0

    @property
    def lives(self) -> bool:
        return self.silent_reads < _RENEWALS_PER_LEASE


class Peers:
    """This node among those of its store, between `start` and `stop`.

    `on_lapsed(row)` is called once for each peer that is gone: its lease lapsed, it stopped, it
    was started anew, or another node removed it. While the store is down nobody lapses, and what
    was learned is kept: silence counts from one successful read to the next, at most one renewal
    for each, since a peer that cannot write either is not dead.
    """

    def __init__(
        self,
        nodes: Nodes,
        clock: Clock,
        settings: PeerSettings,
        me: NodeRow,
        on_lapsed: Callable[[NodeRow], None],
    ) -> None:
        self.me = me
        self._nodes = nodes
        self._clock = clock
        self._settings = settings
        self._on_lapsed = on_lapsed
        self._interval_s = settings.lease_ms / _RENEWALS_PER_LEASE / 1000
        self._peers: Mapping[str, _Peer] = {}
        self._read_at_s: float | None = None
        self._looked_at_s = float("-inf")
        self._reading = asyncio.Lock()  # What is learned last was read last.
        self._renewal_trouble = ""
        self._renewing: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Take the node's id, learn who is there, and go on renewing.

        Takes up to half a lease if a process of the same id left its row. Raises NodeRefused if
        that process lives, WebchatError(UNAVAILABLE).
        """
        await self._claim()
        self._learn(await self._nodes.all())
        self._renewing = asyncio.create_task(self._renew_forever())

    async def stop(self) -> None:
        """Leave: peers know at their next read. To be done once requests are no longer served."""
        renewing, self._renewing = self._renewing, None
        if renewing is None:
            return
        renewing.cancel()
        await asyncio.gather(renewing, return_exceptions=True)
        # Where the store does not answer, the lease lapses by itself.
        with contextlib.suppress(WebchatError):
            await self._nodes.remove(self.me.id, self.me.incarnation)

    def living(self) -> Sequence[NodeRow]:
        """The peers that live, by id; this node is not among them."""
        return [peer.row for peer in self._peers.values() if peer.lives]

    def playing(self, role: str) -> Sequence[NodeRow]:
        """The peers that live and play `role`, by id."""
        return [row for row in self.living() if role in row.roles]

    def url_of(self, node_id: str) -> str | None:
        """How to reach a peer that lives; None: there is none of that id."""
        peer = self._peers.get(node_id)
        return peer.row.url if peer is not None and peer.lives else None

    async def look_again(self) -> None:
        """Learn who has come since the last renewal, for whoever misses a node.

        Many who ask together wait for one read, up to a tenth of a renewal's time. Where the store
        does not answer nothing is learned.
        """
        with contextlib.suppress(WebchatError):
            await self._look(self._clock.monotonic_s())

    async def trouble(self) -> str:
        """Why this node is not a sound one among its peers, for `/readyz`; "": it is."""
        skews = [
            f"the clock of node {peer.row.id} ({peer.row.url}) is {abs(peer.skew_ms) // 1000} s "
            f"{'ahead of' if peer.skew_ms > 0 else 'behind'} this one's"
            for peer in self._peers.values()
            if peer.lives and abs(peer.skew_ms) > self._settings.clock_skew_ms
        ]
        return "; ".join([reason for reason in (self._renewal_trouble, *skews) if reason])

    async def _claim(self) -> None:
        """Write the first row, once nobody who lives has the id. Raises NodeRefused."""
        before = await self._own_row()
        if before is not None:
            await pause(self._clock, self._interval_s * _CLAIM_RENEWALS)
            now = await self._own_row()
            if now is not None and (now.incarnation, now.beat) != (before.incarnation, before.beat):
                raise NodeRefused(self._taken(now))
            await self._nodes.remove(before.id, before.incarnation)
        if not await self._put():
            raise NodeRefused(self._taken(await self._own_row()))

    async def _own_row(self) -> NodeRow | None:
        """The row of the own id, whoever wrote it."""
        return next((row for row in await self._nodes.all() if row.id == self.me.id), None)

    def _taken(self, by: NodeRow | None) -> str:
        where = "" if by is None else f" at {by.url}"
        return (
            f"another process{where} is node {self.me.id} of this store; "
            "give each node an id of its own (--node-id), or none"
        )

    async def _put(self) -> bool:
        """Write the own row, one beat on."""
        beat = self.me.beat + 1
        self.me = msgspec.structs.replace(self.me, beat=beat, now_ms=self._clock.now_ms())
        return await self._nodes.put(self.me)

    async def _renew_forever(self) -> None:
        while True:
            await pause(self._clock, self._interval_s)
            try:
                await self._renew()
            except WebchatError as error:
                self._renewal_trouble = f"this node's lease could not be renewed: {error.why}"
            except Exception:
                # The lease is what keeps this node's sessions in reach: never end in silence.
                self._renewal_trouble = "this node's lease could not be renewed"
                _log.exception("the lease was not renewed")

    async def _renew(self) -> None:
        is_own = await self._put()
        async with self._reading:
            rows = await self._nodes.all()
            lapsed = self._learn(rows)
        self._renewal_trouble = ""
        if not is_own:
            self._renewal_trouble = self._taken(
                next((row for row in rows if row.id == self.me.id), None)
            )
        await self._remove(lapsed)

    async def _look(self, asked_at_s: float) -> None:
        """Take in who has come, unless a read that began after `asked_at_s` did."""
        next_s = self._looked_at_s + self._interval_s / _LOOKS_PER_RENEWAL
        if self._looked_at_s < asked_at_s < next_s:
            await pause(self._clock, next_s - asked_at_s)
        async with self._reading:
            if self._looked_at_s >= asked_at_s:
                return
            self._looked_at_s = self._clock.monotonic_s()
            rows = await self._nodes.all()
            came = {row.id: _Peer(row, silent_reads=-1) for row in rows if self._has_come(row)}
            before, self._peers = self._peers, dict(sorted({**self._peers, **came}.items()))
            self._tell_who_has_come(before)

    def _has_come(self, row: NodeRow) -> bool:
        """Whether it is another node's that was not known, or gives a sign of life again."""
        known = self._peers.get(row.id)
        if known is None:
            return row.id != self.me.id
        seen = known.row.incarnation, known.row.beat
        return not known.lives and seen != (row.incarnation, row.beat)

    async def _remove(self, lapsed: Sequence[NodeRow]) -> None:
        for row in lapsed:
            await self._nodes.remove(row.id, row.incarnation)

    def _learn(self, rows: Sequence[NodeRow]) -> list[NodeRow]:
        """Take in what a read found; the rows to be removed."""
        now_s, last_s = self._clock.monotonic_s(), self._read_at_s
        self._read_at_s = now_s
        elapsed_ms = None if last_s is None else round((now_s - last_s) * 1000)
        before = self._peers
        self._peers = {
            row.id: self._met(before.get(row.id), row, elapsed_ms)
            for row in rows
            if row.id != self.me.id
        }
        self._tell_who_is_gone(before)
        if elapsed_ms is not None:
            self._tell_who_has_come(before)
        return [peer.row for peer in self._peers.values() if not peer.lives]

    def _met(self, known: _Peer | None, row: NodeRow, elapsed_ms: int | None) -> _Peer:
        """A peer as its row shows it now; `elapsed_ms`: since the read before, None: there is none.

        A row that has moved was written between that read and this one, so the peer's clock is
        off by what its stamp lies outside of that time.
        """
        peer = _Peer(row)
        if known is None or known.row.incarnation != row.incarnation:
            return peer
        peer.skew_ms = known.skew_ms
        if known.row.beat == row.beat:
            peer.silent_reads = known.silent_reads + 1
        elif elapsed_ms is not None:
            ahead_ms = row.now_ms - self._clock.now_ms()
            peer.skew_ms = max(ahead_ms, 0) + min(ahead_ms + elapsed_ms, 0)
        return peer

    def _tell_who_is_gone(self, before: Mapping[str, _Peer]) -> None:
        for node_id, known in before.items():
            peer = self._peers.get(node_id)
            if known.lives and not _is_same(known, peer):
                self._log_gone(known, peer)
                self._on_lapsed(known.row)

    def _log_gone(self, known: _Peer, now: _Peer | None) -> None:
        """One that ends removes its row; another node removes that of one whose lease lapsed, at
        its own read, which may be the one before this node's."""
        log, why = _log.warning, f"silent for {self._settings.lease_ms / 1000:g} s"
        if now is None and known.silent_reads < _RENEWALS_PER_LEASE - 1:
            log, why = _log.info, "stopped"
        elif now is not None and now.row.incarnation != known.row.incarnation:
            log, why = _log.info, "started anew"
        log("a node is gone", node=known.row.id, url=known.row.url, why=why)

    def _tell_who_has_come(self, before: Mapping[str, _Peer]) -> None:
        for node_id, peer in self._peers.items():
            known = before.get(node_id)
            if peer.lives and not _is_same(peer, known):
                _log.info("a node has come", node=node_id, url=peer.row.url)


def _is_same(peer: _Peer, other: _Peer | None) -> bool:
    """Whether `other` is that incarnation, and lives."""
    return other is not None and other.lives and other.row.incarnation == peer.row.incarnation

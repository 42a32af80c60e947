"""Metrics of the process, gathered when they are asked for: nothing is paid on the way."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import fields
from itertools import accumulate
from typing import Protocol

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from webchat.chat.assembly import Chat
from webchat.chat.stats import BOUNDS_S, Durations
from webchat.ports.nodes import NodeRow
from webchat.session.endpoint import Endpoint


class BusCounts(Protocol):
    """What a bus counts since the start. `lag_ms`: its last round trip."""

    published: int
    failed: int
    received: int
    reconnects: int
    lag_ms: float


class Living(Protocol):
    """Knows the other nodes."""

    def living(self) -> Sequence[NodeRow]:
        """Those that live."""


class ChatCollector(Collector):
    """The numbers of a chat layer and its endpoint; None: this node plays no Socket.IO."""

    def __init__(self, chat: Chat, endpoint: Endpoint | None) -> None:
        self._chat = chat
        self._endpoint = endpoint

    def collect(self) -> Iterator[Metric]:
        """All of them, as they are now."""
        roster, stats = self._chat.roster, self._chat.stats
        if self._endpoint is not None:
            waiting = self._endpoint.waiting_bytes()
            yield _gauge("connections", "Open Engine.IO connections.", len(self._endpoint))
            yield _gauge("outbox_bytes", "Bytes that wait for connections.", waiting)
        yield _gauge("users", "Users with a joined device.", len(roster.users))
        yield _gauge("followed_logs", "Logs that somebody here follows.", len(roster.logs))
        yield _gauge("waiting_acks", "Acks that wait for the bus.", stats.waiting_acks)
        yield _histogram("append_seconds", "Time that appends took, sampled.", stats.append_s)
        for total in fields(stats):
            if "help" in total.metadata:
                yield _total(total.name, total.metadata["help"], getattr(stats, total.name))


class BusCollector(Collector):
    """The numbers of a bus between nodes."""

    def __init__(self, counts: BusCounts) -> None:
        self._counts = counts

    def collect(self) -> Iterator[Metric]:
        """All of them, as they are now."""
        counts = self._counts
        yield _gauge("bus_lag_seconds", "The bus's last round trip.", counts.lag_ms / 1000)
        yield _total("bus_published", "Publishes that the bus took.", counts.published)
        yield _total("bus_failed", "Publishes that the bus did not take.", counts.failed)
        yield _total("bus_received", "Publishes of other nodes that came in.", counts.received)
        yield _total("bus_reconnects", "Times that the bus came back.", counts.reconnects)


class Relayed(Protocol):
    """What was passed on to other nodes since the start."""

    requests: int
    websockets: int


class NodesCollector(Collector):
    """The numbers of the other nodes; `relayed` None: nothing is passed on to them."""

    def __init__(self, peers: Living, relayed: Relayed | None) -> None:
        self._peers = peers
        self._relayed = relayed

    def collect(self) -> Iterator[Metric]:
        """All of them, as they are now."""
        living = 1 + len(self._peers.living())
        yield _gauge("nodes_living", "Nodes that live, this one too.", living)
        if self._relayed is not None:
            requests, websockets = self._relayed.requests, self._relayed.websockets
            yield _total("relayed_requests", "Requests passed on to other nodes.", requests)
            yield _total("relayed_websockets", "WebSockets passed on to other nodes.", websockets)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"webchat_{name}", text, value=value)


def _total(name: str, text: str, value: float) -> Metric:
    return CounterMetricFamily(f"webchat_{name}", text, value=value)


def _histogram(name: str, text: str, durations: Durations) -> Metric:
    bounds = (*map(str, BOUNDS_S), "+Inf")
    buckets = list(zip(bounds, accumulate(durations.counts), strict=True))
    return HistogramMetricFamily(f"webchat_{name}", text, buckets, durations.sum_s)

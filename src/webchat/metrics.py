"""Metrics of the process, gathered when they are asked for: nothing is paid on the way."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from webchat.chat.assembly import Chat
from webchat.session.endpoint import Endpoint

_TOTALS: Final = {
    "appended": "Entries that connections had appended to logs.",
    "passed_on": "Entries brought to devices of this node.",
    "copies": "Devices those entries went to.",
    "backlog": "Entries sent to devices that were behind.",
    "refused": "Events answered with an error.",
    "repairs": "Gaps read from a log.",
    "revoked": "Connections closed because their login ended.",
}


class ChatCollector(Collector):
    """The numbers of a chat layer and its endpoint."""

    def __init__(self, chat: Chat, endpoint: Endpoint) -> None:
        self._chat = chat
        self._endpoint = endpoint

    def collect(self) -> Iterator[Metric]:
        """All of them, as they are now."""
        roster, stats = self._chat.roster, self._chat.stats
        yield _gauge("connections", "Open Engine.IO connections.", len(self._endpoint))
        yield _gauge("users", "Users with a joined device.", len(roster.users))
        yield _gauge("held_logs", "Logs that somebody here follows.", len(roster.logs))
        for name, text in _TOTALS.items():
            yield CounterMetricFamily(f"webchat_{name}", text, value=getattr(stats, name))


def _gauge(name: str, text: str, value: int) -> Metric:
    return GaugeMetricFamily(f"webchat_{name}", text, value=value)

"""The relay of a node that has others beside it, and its settings."""

from __future__ import annotations

from webchat.config import Settings
from webchat.ports.clock import Clock
from webchat.service.peers import Peers
from webchat.session.sids import Sids
from webchat.transport.links import LinkSettings
from webchat.transport.marks import Marks
from webchat.transport.relay import Relay, RelaySettings


def relay_of(settings: Settings, peers: Peers, sids: Sids, secret: bytes, clock: Clock) -> Relay:
    """What passes requests on to `peers`; `secret`: the key of the store."""
    return Relay(peers, sids, Marks(secret), clock, _settings(settings))


def _settings(settings: Settings) -> RelaySettings:
    return RelaySettings(
        link=LinkSettings(
            connect_timeout_ms=settings.relay_connect_timeout_ms,
            answer_timeout_ms=settings.relay_answer_timeout_ms,
            max_idle_per_node=settings.relay_connections,
        ),
        max_body_bytes=max(settings.packet_bytes, settings.body_bytes),
    )

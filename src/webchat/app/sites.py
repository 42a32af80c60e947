"""What a node answers, on which of its sockets: its own part, and the rest by passing it on."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.registry import Collector

from webchat import tuning
from webchat.app.peering import Peering
from webchat.app.sockets import Sockets
from webchat.app.vendors import Joint
from webchat.chat.assembly import Chat
from webchat.config import Settings
from webchat.metrics import BusCollector, ChatCollector, NodesCollector
from webchat.ports.clock import Clock
from webchat.session.client import SocketIO
from webchat.session.endpoint import Endpoint
from webchat.transport.origins import OwnOrListed, any_origin
from webchat.transport.proxy import Proxies
from webchat.transport.rest import Services, build, build_seed
from webchat.transport.rest.services import OriginAllowed
from webchat.transport.server import Server, ServerSettings, Site

SOCKET_IO_PATH = "/socket.io"


def server_of(
    settings: Settings,
    sockets: Sockets,
    services: Services,
    chat: Chat,
    joint: Joint,
    peering: Peering,
    clock: Clock,
) -> Server:
    """The server of a node, not started yet."""
    proxies = Proxies(settings.trusted_networks())
    allowed: OriginAllowed = any_origin if settings.open else OwnOrListed(settings.allow_origin)
    endpoints = {}
    if "chat" in settings.parts:
        endpoints[SOCKET_IO_PATH] = _endpoint(settings, chat, allowed, peering, clock)
    for collector in _collectors(chat, endpoints.get(SOCKET_IO_PATH), joint, peering):
        services.registry.register(collector)
    rest = tuning.rest_settings(settings)
    listening = [sockets.public] + ([sockets.peer] if sockets.peer is not None else [])
    sites = [Site(build(services, rest, proxies, allowed), listening, endpoints)]
    if sockets.profile is not None:
        sites.append(Site(build_seed(services, rest, proxies, allowed), [sockets.profile]))
    return Server(sites, ServerSettings(), clock, proxies)


def _endpoint(
    settings: Settings, chat: Chat, allowed: OriginAllowed, peering: Peering, clock: Clock
) -> Endpoint:
    return Endpoint(
        SocketIO(chat.handler, clock, tuning.socket_settings(settings)),
        clock,
        tuning.engine_settings(settings),
        origin_allowed=allowed,
    )


def _collectors(
    chat: Chat, endpoint: Endpoint | None, joint: Joint, peering: Peering
) -> Iterator[Collector]:
    yield ChatCollector(chat, endpoint)
    if joint.stats is not None:
        yield BusCollector(joint.stats)
    if peering.peers is not None:
        yield NodesCollector(peering.peers)

"""What a node answers, on which of its sockets: its own part, and the rest by passing it on."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.registry import Collector

from webchat import tuning
from webchat.app.parts import Parts
from webchat.app.peering import Peering
from webchat.app.sockets import Sockets
from webchat.app.vendors import Joint
from webchat.chat.assembly import Chat
from webchat.config import PARTS, Settings
from webchat.metrics import BusCollector, ChatCollector, NodesCollector
from webchat.ports.clock import Clock
from webchat.session.client import SocketIO
from webchat.session.endpoint import Endpoint, OriginAllowed
from webchat.session.sids import new_sid
from webchat.transport.origins import OwnOrListed, any_origin
from webchat.transport.proxy import Proxies
from webchat.transport.relay import Relay
from webchat.transport.rest import Services, build, build_seed
from webchat.transport.server import App, Server, ServerSettings, Site
from webchat.transport.to_role import ToRole

SOCKET_IO_PATH = "/socket.io"


def server_of(
    settings: Settings,
    sockets: Sockets,
    services: Services,
    chat: Chat,
    socket_io: SocketIO,
    joint: Joint,
    peering: Peering,
    clock: Clock,
) -> Server:
    """The server of a node, not started yet."""
    proxies = Proxies(settings.trusted_networks())
    allowed: OriginAllowed = any_origin if settings.open else OwnOrListed(settings.allow_origin)
    endpoint = None
    if "chat" in settings.parts:
        endpoint = _endpoint(settings, socket_io, allowed, peering, clock)
    for collector in _collectors(chat, endpoint, joint, peering):
        services.registry.register(collector)
    rest = tuning.rest_settings(settings)
    own = build(services, rest, proxies, allowed)
    sites = [_site(settings, sockets, own, endpoint, peering.relay, proxies)]
    if sockets.profile is not None:
        sites.append(Site(build_seed(services, rest, proxies, allowed), [sockets.profile]))
    return Server(sites, ServerSettings(), clock, proxies, peering.relay)


def _site(
    settings: Settings,
    sockets: Sockets,
    own: App,
    endpoint: Endpoint | None,
    relay: Relay | None,
    proxies: Proxies,
) -> Site:
    """What people and other nodes find; without a relay this node plays all parts."""
    listening = [bound for bound in (sockets.public, sockets.peer) if bound is not None]
    elsewhere = {
        part: ToRole(relay, part, proxies)
        for part in PARTS
        if relay is not None and part not in settings.parts
    }
    return Site(
        Parts(own, elsewhere, open_mode=settings.open) if elsewhere else own,
        listening,
        {} if endpoint is None else {SOCKET_IO_PATH: endpoint},
        {SOCKET_IO_PATH: elsewhere["chat"]} if "chat" in elsewhere else {},
    )


def _endpoint(
    settings: Settings,
    socket_io: SocketIO,
    allowed: OriginAllowed,
    peering: Peering,
    clock: Clock,
) -> Endpoint:
    return Endpoint(
        socket_io,
        clock,
        tuning.engine_settings(settings),
        origin_allowed=allowed,
        sid_factory=new_sid if peering.sids is None else peering.sids.new,
    )


def _collectors(
    chat: Chat, endpoint: Endpoint | None, joint: Joint, peering: Peering
) -> Iterator[Collector]:
    yield ChatCollector(chat, endpoint)
    if joint.stats is not None:
        yield BusCollector(joint.stats)
    if peering.peers is not None:
        yield NodesCollector(peering.peers, peering.relay)

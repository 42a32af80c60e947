"""The HTTP application: the own API, operations, the web client, and the seed's REST in open mode.

Sockets are elsewhere: this application serves everything that is not their path.
"""

from __future__ import annotations

from itertools import groupby
from operator import attrgetter
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from webchat.service.turns import Turns
from webchat.session.endpoint import OriginAllowed
from webchat.transport.proxy import Proxies
from webchat.transport.rest import account_routes, conversation_routes, group_routes
from webchat.transport.rest.endpoint import Answer, at
from webchat.transport.rest.guard import Guard, requests_counter
from webchat.transport.rest.openapi import describe
from webchat.transport.rest.operations import Operations
from webchat.transport.rest.paths import API
from webchat.transport.rest.problems import not_found
from webchat.transport.rest.resource import Resource
from webchat.transport.rest.route import Route
from webchat.transport.rest.seed import SeedProfiles
from webchat.transport.rest.services import RestSettings, Services
from webchat.transport.rest.static import WebClient

API_ROUTES: Final[tuple[Route, ...]] = (
    *account_routes.ROUTES,
    *conversation_routes.ROUTES,
    *group_routes.ROUTES,
)
"""The one table of the own API: what is served, and what OpenAPI says of it."""
_AT_ONCE: Final = 4
"""So many requests of one user are answered at a time; the rest of theirs wait."""


def build(
    services: Services,
    settings: RestSettings,
    proxies: Proxies,
    origin_allowed: OriginAllowed,
) -> ASGIApp:
    """The application of the server's own port. Once a registry: it adds a metric to it."""
    routes = [*_api(services, settings), *Operations(services, settings).routes()]
    if settings.open_mode:
        routes += SeedProfiles(services.profiles, settings).routes()
    router = _router(routes, WebClient(settings.static_dir).answer)
    return Guard(router, proxies, origin_allowed, requests_counter(services.registry))


def build_seed(
    services: Services,
    settings: RestSettings,
    proxies: Proxies,
    origin_allowed: OriginAllowed,
) -> ASGIApp:
    """The application of the seed's profile port: its routes alone."""
    routes = [at("/", _alive), *SeedProfiles(services.profiles, settings).routes()]
    return Guard(_router(routes, _nothing), proxies, origin_allowed)


def _api(services: Services, settings: RestSettings) -> list[BaseRoute]:
    document = msgspec.json.encode(describe(API_ROUTES))

    async def openapi(_request: Request) -> Response:
        return Response(document, media_type="application/json")

    routes = [at("/api/v1/openapi.json", openapi)]
    path_of, turns = attrgetter("path"), Turns(_AT_ONCE)
    for path, same in groupby(sorted(API_ROUTES, key=path_of), path_of):
        resource = Resource(list(same), services, settings, turns)
        routes.append(at(path, resource.answer, resource.methods))
    return routes


def _router(routes: list[BaseRoute], other: Answer) -> Router:
    """`other` answers where no route is, but nothing is to be found under API."""

    async def default(scope: Scope, receive: Receive, send: Send) -> None:
        is_api = scope["path"].startswith(API)
        response = not_found() if is_api else await other(Request(scope, receive))
        await response(scope, receive, send)

    return Router(routes, redirect_slashes=False, default=default)


async def _alive(_request: Request) -> Response:
    return PlainTextResponse("webchat\n")


async def _nothing(_request: Request) -> Response:
    return not_found()

"""Routes for whoever runs the server: is it alive, is it ready, and its metrics."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from ipaddress import ip_address
from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import Scope

from webchat.errors import Code, WebchatError
from webchat.transport.proxy import Caller
from webchat.transport.relay import NODE
from webchat.transport.rest.endpoint import at
from webchat.transport.rest.guard import CLIENT
from webchat.transport.rest.paths import HEALTHZ, METRICS, READYZ
from webchat.transport.rest.resource import json_response
from webchat.transport.rest.services import Check, RestSettings, Services

_BY_PROXIES: Final = frozenset({"forwarded", "via", "x-forwarded-for", "x-real-ip"})
"""Header fields that proxies add."""


class Operations:
    """`/healthz`, `/readyz` and `/metrics`."""

    def __init__(self, services: Services, settings: RestSettings) -> None:
        self._services = services
        self._settings = settings

    def routes(self) -> list[BaseRoute]:
        """Where they are."""
        return [
            at(HEALTHZ, self._healthz),
            at(READYZ, self._readyz),
            at(METRICS, self._metrics),
        ]

    async def _healthz(self, _request: Request) -> Response:
        response = json_response({"status": "ok"})
        if self._services.node_id:
            response.headers[NODE] = self._services.node_id
        return response

    async def _readyz(self, _request: Request) -> Response:
        checks = {**self._services.checks, **self._services.helpers}
        reasons = await asyncio.gather(*map(self._reason, checks.values()))
        troubles = {name: why for name, why in zip(checks, reasons, strict=True) if why}
        report = {
            name: {"ok": name not in troubles}
            | ({"reason": troubles[name]} if name in troubles else {})
            for name in checks
        }
        ready = troubles.keys().isdisjoint(self._services.checks)
        state = "unavailable" if not ready else "degraded" if troubles else "ready"
        status = HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE
        return json_response({"ready": ready, "state": state, "checks": report}, status)

    async def _reason(self, check: Check) -> str:
        """Why it does not serve as it should; "": it does."""
        try:
            async with asyncio.timeout(self._settings.check_timeout_s):
                return await check()
        except TimeoutError:
            return "does not answer in time"
        except WebchatError as error:
            return error.message

    async def _metrics(self, request: Request) -> Response:
        # A proxy on this machine that nobody said to trust speaks for whoever asked it.
        if not _BY_PROXIES.isdisjoint(request.headers) or not self._is_from_here(request.scope):
            raise WebchatError(Code.FORBIDDEN, "Metrics are for this machine alone.")
        return Response(generate_latest(self._services.registry), media_type=CONTENT_TYPE_LATEST)

    def _is_from_here(self, scope: Scope) -> bool:
        """Whether this machine asks: over the loopback or, where that is not listened on, from the
        address that it asks. At all addresses that would not tell: what publishes a container's
        port may connect to it from its own address, whoever asks."""
        return _is_loopback(scope[CLIENT]) or (
            not self._settings.at_all_addresses and _is_between_the_same(scope)
        )


def _is_loopback(client: Caller) -> bool:
    try:
        return ip_address(client.address).is_loopback
    except ValueError:
        return False


def _is_between_the_same(scope: Scope) -> bool:
    """Whether a connection goes from an address to itself."""
    client, server = scope["client"], scope["server"]
    return bool(client and server and client[0] == server[0])

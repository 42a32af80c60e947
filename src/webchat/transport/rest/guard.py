"""What holds for every HTTP request: who asks, from which origin, how errors and headers leave.

Source: docs/protocol.md, sections 2 and 8; Fetch standard, section 3.2 (CORS).
"""

from __future__ import annotations

from typing import Final

import structlog
from prometheus_client import CollectorRegistry, Counter
from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from webchat.errors import Code, WebchatError
from webchat.session.endpoint import OriginAllowed
from webchat.transport.headers import Headers
from webchat.transport.proxy import Proxies
from webchat.transport.rest.problems import problem

CLIENT: Final = "webchat.client"
"""Where in the ASGI scope the Caller is."""

HELD: Final = "webchat.held"
"""Where in the ASGI scope the AsyncExitStack is of what is held until the answer is sent."""

ROUTE: Final = "webchat.route"
"""Where in the ASGI scope a resource says which route it is, for the metrics."""

_SECURITY_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
_PREFLIGHT_HEADERS: Final = {
    "Access-Control-Allow-Methods": "GET, POST, PATCH, DELETE",
    "Access-Control-Allow-Headers": "authorization, content-type",
    "Access-Control-Max-Age": "600",
}
_log = structlog.get_logger()


def requests_counter(registry: CollectorRegistry) -> Counter:
    """The metric that a Guard counts requests in; one a registry."""
    return Counter(
        "webchat_http_requests",
        "HTTP requests by route, method and status.",
        ("route", "method", "status"),
        registry=registry,
    )


class Guard:
    """ASGI middleware around `app`; `requests`: where to count, if anywhere."""

    def __init__(
        self,
        app: ASGIApp,
        proxies: Proxies,
        origin_allowed: OriginAllowed,
        requests: Counter | None = None,
    ) -> None:
        self._app = app
        self._proxies = proxies
        self._origin_allowed = origin_allowed
        self._requests = requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve HTTP; any other kind of connection is left to `app`."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope["headers"])
        scope[CLIENT] = self._proxies.client_of(scope, headers)
        allowed = self._origin_allowed(headers, scope[CLIENT].secure)
        reply = _Reply(send, headers.get("origin") if allowed else None)
        await self._answer(scope, headers, allowed, receive, reply)
        self._count(scope, reply.status)

    async def _answer(
        self, scope: Scope, headers: Headers, allowed: bool, receive: Receive, reply: _Reply
    ) -> None:
        if not allowed:
            refusal = WebchatError(Code.FORBIDDEN, "This origin is not allowed.")
            await problem(refusal)(scope, receive, reply.send)
        elif scope["method"] == "OPTIONS" and "access-control-request-method" in headers:
            await Response(None, 204, _PREFLIGHT_HEADERS)(scope, receive, reply.send)
        else:
            await self._answer_safely(scope, receive, reply)

    async def _answer_safely(self, scope: Scope, receive: Receive, reply: _Reply) -> None:
        try:
            await self._app(scope, receive, reply.send)
        except ClientDisconnect:
            return
        except WebchatError as error:
            response = problem(error)
        except Exception:
            _log.exception("a request failed", method=scope["method"], route=scope.get(ROUTE))
            if reply.status:
                raise
            response = problem(WebchatError(Code.INTERNAL, "The server made a mistake."))
        else:
            return
        await response(scope, receive, reply.send)

    def _count(self, scope: Scope, status: int) -> None:
        if self._requests is not None and status:
            route = scope.get(ROUTE, "other")
            method = scope["method"] if route != "other" else "any"
            self._requests.labels(route, method, str(status)).inc()


class _Reply:
    """Sends, adds the headers that every answer has, and remembers the status (0: none yet)."""

    def __init__(self, send: Send, origin: str | None) -> None:
        self._send = send
        self._origin = origin
        self.status = 0

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self._add_headers(MutableHeaders(scope=message))
        await self._send(message)

    def _add_headers(self, headers: MutableHeaders) -> None:
        for name, value in _SECURITY_HEADERS.items():
            headers.setdefault(name, value)
        headers.add_vary_header("Origin")
        if self._origin is not None:
            headers["Access-Control-Allow-Origin"] = self._origin
            headers["Access-Control-Allow-Credentials"] = "true"
            headers["Access-Control-Expose-Headers"] = "Retry-After"

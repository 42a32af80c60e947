"""The parts of the server that one node can play for others, told apart by the path."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from webchat.transport.asgi import Receive, Scope, Send
from webchat.transport.server import App
from webchat.transport.to_role import ToRole

_OF_EVERY_NODE: Final = frozenset({"/healthz", "/readyz", "/metrics"})
_SEED_PROFILES: Final = ("/add", "/getall", "/search/")


class Parts:
    """An ASGI application: `own` answers, but what belongs to a part in `elsewhere` is passed on.

    Socket.IO is told apart before it comes here.
    """

    def __init__(self, own: App, elsewhere: Mapping[str, ToRole], *, open_mode: bool) -> None:
        self._own = own
        self._elsewhere = elsewhere
        self._open_mode = open_mode

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await self._app_at(scope["path"])(scope, receive, send)

    def _app_at(self, path: str) -> App:
        if path in _OF_EVERY_NODE:
            return self._own
        is_rest = path.startswith("/api/") or (self._open_mode and path.startswith(_SEED_PROFILES))
        return self._elsewhere.get("profile" if is_rest else "web", self._own)

"""The parts of the server that one node can play for others, told apart by the path."""

from __future__ import annotations

from collections.abc import Mapping

from webchat.transport.asgi import Receive, Scope, Send
from webchat.transport.rest.paths import API, OF_EVERY_NODE, SEED_PROFILES
from webchat.transport.server import App
from webchat.transport.to_role import ToRole


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
        if path in OF_EVERY_NODE:
            return self._own
        is_rest = path.startswith(API) or (self._open_mode and path.startswith(SEED_PROFILES))
        return self._elsewhere.get("profile" if is_rest else "web", self._own)

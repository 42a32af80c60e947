"""A function as the ASGI application of a path: for its methods, by its name in the metrics."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from webchat.transport.rest.guard import HELD, ROUTE
from webchat.transport.rest.problems import method_not_allowed

Answer = Callable[[Request], Awaitable[Response]]

READ: Final = ("GET", "HEAD")


def at(path: str, answer: Answer, methods: tuple[str, ...] = READ) -> BaseRoute:
    """A route that calls `answer`, which may raise WebchatError; other methods get 405."""
    return Route(path, _Application(path, answer, methods))


class _Application:
    def __init__(self, path: str, answer: Answer, methods: tuple[str, ...]) -> None:
        self._path = path
        self._answer = answer
        self._methods = methods

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope[ROUTE] = self._path
        async with AsyncExitStack() as scope[HELD]:
            if scope["method"] in self._methods:
                response = await self._answer(Request(scope, receive))
            else:
                response = method_not_allowed(", ".join(self._methods))
            await response(scope, receive, send)

"""The routes of one path of the own API: authenticate, decode, call the handler, encode."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from functools import cache
from typing import Final, TypeVar, get_args

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from webchat.errors import Code, WebchatError
from webchat.model import Login, Uid, is_uid
from webchat.protocol.cookies import COOKIE, cookie_in
from webchat.service.turns import Turns
from webchat.transport import asgi
from webchat.transport.asgi import BodyRefused
from webchat.transport.headers import Headers
from webchat.transport.rest.guard import CLIENT, HELD
from webchat.transport.rest.problems import body_refused
from webchat.transport.rest.route import Call, Reply, Route
from webchat.transport.rest.services import RestSettings, Services

_SAFE_METHODS: Final = frozenset({"GET", "HEAD"})
_DAY_S: Final = 86_400
_MAX_QUERY_FIELDS: Final = 32
_NUMBER: Final = re.compile(r"-?[0-9]{1,100}\Z")
_AT_ONCE_BYTES: Final = 65_536
"""Of an answer: what is longer waits until its reader has taken so much of it."""
_Struct = TypeVar("_Struct", bound=msgspec.Struct)


class Resource:
    """Serves `routes`, all of one path; HEAD as GET. `turns`: of users, for all resources."""

    def __init__(
        self, routes: Sequence[Route], services: Services, settings: RestSettings, turns: Turns
    ) -> None:
        self._routes = {route.method: route for route in routes}
        if "GET" in self._routes:
            self._routes["HEAD"] = self._routes["GET"]
        self._services = services
        self._settings = settings
        self._turns = turns

    @property
    def methods(self) -> tuple[str, ...]:
        """The methods it has."""
        return tuple(sorted(self._routes))

    async def answer(self, request: Request) -> Response:
        """Answer a request by one of `methods`. Raises WebchatError."""
        route = self._routes[request.method]
        call = await self._call(request, route)
        if route.public:
            return await self._done(request, route, call)
        # Whoever asks for much at once holds up their own requests, not those of others.
        has_to_wait = self._turns.are_taken(call.uid)
        # Until the answer is read: what waits for readers is memory.
        await request.scope[HELD].enter_async_context(self._turns.of(call.uid))
        if has_to_wait:
            await self._who(request)  # its login may have ended meanwhile
        return await self._done(request, route, call)

    async def _done(self, request: Request, route: Route, call: Call[object, object]) -> Response:
        return self._response(request, route, await route.handler(call))

    async def _call(self, request: Request, route: Route) -> Call[object, object]:
        if route.accounts_only and self._settings.open_mode:
            raise WebchatError(Code.NOT_FOUND, "In open mode there are no accounts to log in to.")
        uid, login, cookie = "", None, ""
        if not route.public:
            uid, login, cookie = await self._who(request)
        body, was_late = await self._body(request, route)
        if was_late and not route.public:
            await self._who(request)  # its login may have ended meanwhile
        return Call(
            self._services,
            request.scope[CLIENT],
            uid,
            login,
            cookie,
            request.path_params,
            body,
            None if route.query is None else _decode_query(request, route.query),
        )

    async def _who(self, request: Request) -> tuple[Uid, Login | None, str]:
        """The user, the login and, if that is how it came, the cookie's token."""
        # Not the request's own headers, which know the first line of a name alone.
        headers = Headers(request.scope["headers"])
        bearer = _bearer(headers)
        if self._settings.open_mode:
            return _named(bearer), None, ""
        cookie = "" if bearer is not None else cookie_in(headers.get("cookie", ""), COOKIE)
        login = await self._services.accounts.authenticate(bearer or cookie)
        if login is None:
            raise WebchatError(Code.UNAUTHENTICATED, "Please log in.")
        if cookie:
            _check_not_forged(request.method, headers)
        return login.uid, login, cookie

    async def _body(self, request: Request, route: Route) -> tuple[msgspec.Struct | None, bool]:
        """The body, and whether anything else could happen until it was there."""
        if route.body is None:
            return None, False
        turned = asyncio.Event()
        asyncio.get_running_loop().call_soon(turned.set)
        body = await read_body(request, self._settings)
        return decode_json(body, route.body), turned.is_set()

    def _response(
        self, request: Request, route: Route, answer: msgspec.Struct | Reply | None
    ) -> Response:
        body = answer.body if isinstance(answer, Reply) else answer
        response = json_response(body, route.status)
        if isinstance(answer, Reply):
            self._set_cookie(response, answer.cookie, request.scope[CLIENT].secure)
        return response

    def _set_cookie(self, response: Response, token: str, secure: bool) -> None:
        age_s = round(self._settings.cookie_days * _DAY_S) if token else 0
        cookie = f"{COOKIE}={token}; HttpOnly; Max-Age={age_s}; Path=/; SameSite=Lax"
        response.headers.append("Set-Cookie", f"{cookie}; Secure" if secure else cookie)


def json_response(body: object, status: int = 200) -> Response:
    """A JSON answer that nobody keeps; None: no body."""
    headers = {"Cache-Control": "no-store"}
    if body is None:
        return Response(None, status, headers)
    encoded = msgspec.json.encode(body)
    kind = Response if len(encoded) <= _AT_ONCE_BYTES else _ReadResponse
    return kind(encoded, status, headers, "application/json")


class _ReadResponse(Response):
    """Is over once its reader has taken nearly all of it: the server waits before each next piece,
    and the last one is empty."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        start = {"type": "http.response.start", "status": self.status_code}
        await send({**start, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def read_body(request: Request, settings: RestSettings) -> bytes:
    """The request's body. Raises WebchatError: TOO_LARGE, BAD_REQUEST if it comes too slowly; and
    ClientDisconnect."""
    limit = settings.body_bytes
    try:
        body = await asgi.read_body(request.receive, limit, settings.body_timeout_s)
    except BodyRefused as refused:
        raise body_refused(refused, f"A body has up to {limit} bytes.") from None
    if body is None:
        raise ClientDisconnect
    return body


def decode_json(body: bytes, into: type[_Struct]) -> _Struct:
    """The body as a struct, whatever its content type says. Raises WebchatError(BAD_REQUEST)."""
    try:
        return msgspec.json.decode(body, type=into)
    except msgspec.ValidationError as error:
        raise WebchatError(Code.BAD_REQUEST, f"{error}.") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise WebchatError(Code.BAD_REQUEST, "The body is no valid JSON.") from None


def _decode_query(request: Request, into: type[_Struct]) -> _Struct:
    if request.url.query.count("&") >= _MAX_QUERY_FIELDS:
        raise WebchatError(Code.BAD_REQUEST, f"A query has up to {_MAX_QUERY_FIELDS} fields.")
    numbers = _numbers(into)
    given: dict[str, str | int] = {
        name: int(value) if name in numbers and _NUMBER.match(value) else value
        for name, value in request.query_params.items()
        if value
    }
    try:
        return msgspec.convert(given, into)
    except msgspec.ValidationError as error:
        raise WebchatError(Code.BAD_REQUEST, f"{error}.") from None


@cache
def _numbers(into: type[msgspec.Struct]) -> frozenset[str]:
    """The fields of a query that are integers."""
    fields = msgspec.structs.fields(into)
    return frozenset(f.encode_name for f in fields if int in (f.type, *get_args(f.type)))


def _bearer(headers: Headers) -> str | None:
    """The credentials of `Authorization: Bearer` (RFC 6750, 2.1); None: no such header, or one of
    another scheme, which is for a proxy before this server."""
    header = headers.get("authorization")
    scheme, _, credentials = (header or "").partition(" ")
    if scheme.lower() == "bearer":
        return credentials.strip()
    return None if header is None or credentials else ""


def _named(bearer: str | None) -> Uid:
    """In open mode nobody proves anything: a request names its user as a `join` does."""
    if bearer is None or not is_uid(bearer):
        raise WebchatError(
            Code.BAD_REQUEST, "In open mode name the user: Authorization: Bearer <uid>."
        )
    return bearer


def _check_not_forged(method: str, headers: Headers) -> None:
    """An `Origin` was checked for every request; what comes by cookie and without one must not
    come from another site either (Fetch Metadata). Raises WebchatError(FORBIDDEN)."""
    if method in _SAFE_METHODS or "origin" in headers:
        return
    if headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        raise WebchatError(Code.FORBIDDEN, "This request comes from another site.")

"""A route of the own API: what it takes and answers, as data that serving and OpenAPI share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec

from webchat.errors import Code
from webchat.model import Login, Uid
from webchat.transport.proxy import Caller
from webchat.transport.rest.services import Services

Body = TypeVar("Body")
Query = TypeVar("Query")


@dataclass(frozen=True, slots=True)
class Call(Generic[Body, Query]):
    """A request, decoded.

    `uid`: who asks ("" on public routes). `login`: None there, and in open mode, where nobody logs
    in. `by_cookie`: the token, if it came so. `params`: from the path.
    """

    services: Services
    client: Caller
    uid: Uid
    login: Login | None
    by_cookie: str
    params: Mapping[str, str]
    body: Body
    query: Query


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer with the session cookie set to a token, or taken back ("")."""

    body: msgspec.Struct | None
    cookie: str


Handler = Callable[[Call[Any, Any]], Awaitable["msgspec.Struct | Reply | None"]]


@dataclass(frozen=True, slots=True)
class Route:
    """`public`: without a login. `accounts_only`: not there in open mode. `answer` None: no body.

    `errors`: codes beyond those that any route of its kind may answer.
    """

    method: str
    path: str
    handler: Handler
    summary: str
    body: type[msgspec.Struct] | None = None
    query: type[msgspec.Struct] | None = None
    answer: type[msgspec.Struct] | None = None
    status: int = 200
    errors: tuple[Code, ...] = ()
    public: bool = False
    accounts_only: bool = False

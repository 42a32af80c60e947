"""The check of every Engine.IO request, by whatever transport, before a connection hears of it.

Source: engine.io's `Server.errors`: the codes and messages its clients know.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from functools import lru_cache
from types import MappingProxyType
from typing import Final, Literal
from urllib.parse import parse_qsl

import msgspec

from webchat.session.connection import Connection
from webchat.session.endpoint import Busy, Endpoint
from webchat.session.handler import Request
from webchat.transport.proxy import Caller

_MAX_QUERY_FIELDS: Final = 32
_KEPT_QUERY_BYTES: Final = 256
_TRANSPORTS: Final = ("polling", "websocket")


class Refusal(Enum):
    """Why a request is refused: (HTTP status, engine.io's code, its message)."""

    TRANSPORT_UNKNOWN = (400, 0, "Transport unknown")
    SESSION_UNKNOWN = (400, 1, "Session ID unknown")
    BAD_METHOD = (400, 2, "Bad handshake method")
    BAD_REQUEST = (400, 3, "Bad request")
    FORBIDDEN = (403, 4, "Forbidden")
    VERSION = (400, 5, "Unsupported protocol version")


class Refused(Exception):  # noqa: N818
    """Answer with `status`, `body` (JSON) and `headers`."""

    def __init__(self, refusal: Refusal) -> None:
        self.status, code, message = refusal.value
        super().__init__(message)
        self.body = msgspec.json.encode({"code": code, "message": message})
        self.headers: list[tuple[bytes, bytes]] = [(b"content-type", b"application/json")]


class Unavailable(Refused):
    """There is no room: 503, to be tried again after a while."""

    def __init__(self, busy: Busy) -> None:
        super().__init__(Refusal.BAD_REQUEST)
        self.status = 503
        self.body = msgspec.json.encode({"code": 3, "message": busy.message})
        self.headers.append((b"retry-after", b"%d" % -(-busy.retry_after_ms // 1000)))


def admit(
    endpoint: Endpoint,
    headers: Mapping[str, str],
    query_string: bytes,
    client: Caller,
    transport: Literal["polling", "websocket"],
) -> Request:
    """The request as the session sees it. Raises Refused."""
    if not endpoint.origin_allowed(headers, client.secure):
        raise Refused(Refusal.FORBIDDEN)
    query = _query(query_string)
    if query.get("transport") != transport:
        is_other = query.get("transport") in _TRANSPORTS
        raise Refused(Refusal.BAD_REQUEST if is_other else Refusal.TRANSPORT_UNKNOWN)
    versions = ("3", "4") if endpoint.settings.allow_engine3 else ("4",)
    if query.get("EIO") not in versions:
        raise Refused(Refusal.VERSION)
    if "j" in query:
        raise Refused(Refusal.BAD_REQUEST)
    return Request(headers, query, client.address, int(query["EIO"]), transport == "websocket")


def find(endpoint: Endpoint, request: Request) -> Connection | None:
    """The connection that `request` names by its `sid`; None if it names none.

    Raises Refused for one that is not there, or speaks another version of the protocol.
    """
    sid = request.query.get("sid")
    if sid is None:
        return None
    connection = endpoint.find(sid)
    if connection is None:
        raise Refused(Refusal.SESSION_UNKNOWN)
    if connection.request.engine != request.engine:
        raise Refused(Refusal.BAD_REQUEST)
    return connection


def check_room(endpoint: Endpoint) -> None:
    """Raises Unavailable where there is none for a WebSocket."""
    try:
        endpoint.check_room(websocket=True)
    except Busy as busy:
        raise Unavailable(busy) from None


# Most clients ask with the same few characters, and each connection keeps its query.
@lru_cache(maxsize=256)
def _parsed(query_string: bytes) -> Mapping[str, str]:
    fields = parse_qsl(
        query_string.decode("latin-1"), keep_blank_values=True, max_num_fields=_MAX_QUERY_FIELDS
    )
    return MappingProxyType(dict(fields))


def _query(query_string: bytes) -> Mapping[str, str]:
    parsed = _parsed if len(query_string) <= _KEPT_QUERY_BYTES else _parsed.__wrapped__
    try:
        return parsed(query_string)
    except ValueError:
        raise Refused(Refusal.BAD_REQUEST) from None

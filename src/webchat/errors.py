"""The error table: each code, its HTTP status, and whether trying again can help.

Source: docs/protocol.md, "Errors". Nothing else in the product invents a code.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

_MAX_MESSAGE_CHARS: Final = 2_000
"""Of a refusal: some name what was wrong in what came, which may be a megabyte."""


class Code(Enum):
    """An error code of the wire: (code, HTTP status, can the same request succeed later)."""

    BAD_REQUEST = ("bad_request", 400, False)
    TOO_LARGE = ("too_large", 413, False)
    UNAUTHENTICATED = ("unauthenticated", 401, False)
    FORBIDDEN = ("forbidden", 403, False)
    NOT_A_MEMBER = ("not_a_member", 404, False)
    NOT_FOUND = ("not_found", 404, False)
    UNKNOWN_USER = ("unknown_user", 404, False)
    GROUP_CLOSED = ("group_closed", 410, False)
    CONFLICT = ("conflict", 409, False)
    RATE_LIMITED = ("rate_limited", 429, True)
    UNAVAILABLE = ("unavailable", 503, True)
    INTERNAL = ("internal", 500, True)

    def __init__(self, wire: str, status: int, retry: bool) -> None:
        self.wire = wire
        self.status = status
        self.retry = retry


class Closing(Enum):
    """Why the server closes a connection: (code, WebSocket close code of RFC 6455 section 7.4)."""

    SLOW_CONSUMER = ("slow_consumer", 1013)
    SESSION_REVOKED = ("session_revoked", 1008)
    SERVER_DRAINING = ("server_draining", 1012)
    PROTOCOL_ERROR = ("protocol_error", 1002)

    def __init__(self, wire: str, websocket: int) -> None:
        self.wire = wire
        self.websocket = websocket


class WebchatError(Exception):
    """A refusal with a code of the table; `message` is for people and tells nothing secret.

    `retry_after_ms`: with RATE_LIMITED, and UNAVAILABLE where it is known, when to try again.
    `msg_id`: of the envelope that was refused, where one could be read; None: of an event that
    carries none.
    """

    msg_id: str | None = ""

    def __init__(self, code: Code, message: str, *, retry_after_ms: int | None = None) -> None:
        if len(message) > _MAX_MESSAGE_CHARS:
            message = f"{message[:_MAX_MESSAGE_CHARS]}…"
        super().__init__(message)
        self.code = code
        self.message = message
        self.retry_after_ms = retry_after_ms

    @property
    def why(self) -> str:
        """The message and what it comes from, for the operator and not for clients."""
        cause = self.__cause__
        return (
            self.message
            if cause is None
            else f"{self.message}: {str(cause) or type(cause).__name__}"
        )

    def as_wire(self) -> dict[str, object]:
        """The `error` object of acks, events and REST: `{code, message, retry_after_ms?}`."""
        wire: dict[str, object] = {"code": self.code.wire, "message": self.message}
        if self.retry_after_ms is not None:
            wire["retry_after_ms"] = self.retry_after_ms
        return wire


class TooBusyError(WebchatError):
    """UNAVAILABLE, of a store that was not asked: certainly nothing of it was done."""

    def __init__(self) -> None:
        super().__init__(Code.UNAVAILABLE, "the store is too busy, or closing")


class MembersChanged(Exception):  # noqa: N818  (an event of the log, not a failure)
    """An append was refused: a membership entry, or a change of the entry that it changes, came
    after the `Seq` that it was decided on. It is to be decided on again."""

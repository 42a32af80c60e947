"""Refusals as `application/problem+json` (RFC 9457), with the `code` of the error table."""

from __future__ import annotations

import math
from http import HTTPStatus
from typing import Final

import msgspec
from msgspec import UNSET, UnsetType
from starlette.responses import Response

from webchat.errors import Code, WebchatError
from webchat.transport.asgi import BodyRefused

MEDIA_TYPE: Final = "application/problem+json"


class Problem(msgspec.Struct):
    """The body of every answer that is no success."""

    title: str
    status: int
    detail: str
    code: str
    type: str = "about:blank"
    retry_after_ms: int | UnsetType = UNSET


def problem(error: WebchatError, status: int | None = None) -> Response:
    """The answer that tells of `error`; `status` where HTTP has one of its own (405)."""
    status = status or error.code.status
    body = Problem(
        title=HTTPStatus(status).phrase,
        status=status,
        detail=error.message,
        code=error.code.wire,
        retry_after_ms=UNSET if error.retry_after_ms is None else error.retry_after_ms,
    )
    return Response(msgspec.json.encode(body), status, _headers(error), MEDIA_TYPE)


def body_refused(refused: BodyRefused, too_large: str) -> WebchatError:
    """What is said of a body that was not taken; `too_large`: where it is over its limit."""
    if refused.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return WebchatError(Code.TOO_LARGE, too_large)
    return WebchatError(Code.BAD_REQUEST, "The body did not arrive in time.")


def not_found() -> Response:
    """The answer where there is nothing."""
    return problem(WebchatError(Code.NOT_FOUND, "There is nothing here."))


def method_not_allowed(allowed: str) -> Response:
    """The answer to a method that a resource does not have; `allowed`: those it has."""
    refusal = WebchatError(Code.BAD_REQUEST, "This resource does not have that method.")
    response = problem(refusal, HTTPStatus.METHOD_NOT_ALLOWED)
    response.headers["Allow"] = allowed
    return response


def _headers(error: WebchatError) -> dict[str, str]:
    headers = {"Cache-Control": "no-store"}
    if error.retry_after_ms is not None:
        headers["Retry-After"] = str(math.ceil(error.retry_after_ms / 1000))
    if error.code is Code.UNAUTHENTICATED:
        headers["WWW-Authenticate"] = "Bearer"
    return headers

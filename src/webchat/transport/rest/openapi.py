"""The OpenAPI 3.1 description of the own API, made from the routes that are served."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from itertools import groupby
from typing import Any, Final

import msgspec

from webchat import __version__
from webchat.errors import Code
from webchat.protocol.cookies import COOKIE
from webchat.transport.rest.problems import MEDIA_TYPE, Problem
from webchat.transport.rest.route import Route

Document = dict[str, Any]

_REF: Final = "#/components/schemas/{name}"
_IN_PATH: Final = re.compile(r"{(\w+)}")


def describe(routes: Sequence[Route]) -> Document:
    """The document for these routes; plain JSON values."""
    schemas = _schemas(routes)
    paths: Document = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "webchat",
            "version": __version__,
            "description": "Accounts, conversations and history. Live events come by Socket.IO.",
        },
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": COOKIE},
            },
        },
    }


def errors_of(route: Route) -> set[Code]:
    """Every code that a route may answer with."""
    codes = {Code.FORBIDDEN, Code.UNAVAILABLE, Code.INTERNAL, *route.errors}
    if not route.public:
        codes |= {Code.UNAUTHENTICATED, Code.BAD_REQUEST}  # in open mode: nobody was named
    if route.body is not None:
        codes |= {Code.BAD_REQUEST, Code.TOO_LARGE}
    if route.query is not None:
        codes.add(Code.BAD_REQUEST)
    if route.accounts_only:
        codes.add(Code.NOT_FOUND)
    return codes


def _schemas(routes: Iterable[Route]) -> Document:
    bodies = {part for route in routes for part in (route.body, route.answer) if part is not None}
    ordered = sorted(bodies, key=lambda body: body.__name__)
    _, schemas = msgspec.json.schema_components([Problem, *ordered], ref_template=_REF)
    return schemas


def _operation(route: Route) -> Document:
    operation: Document = {
        "operationId": route.handler.__name__,
        "summary": route.summary,
        "parameters": [*_path_parameters(route), *_query_parameters(route)],
        "responses": {str(route.status): _success(route), **_failures(errors_of(route))},
        "security": [] if route.public else [{"bearer": []}, {"cookie": []}],
    }
    if route.body is not None:
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": _ref(route.body)}},
        }
    return operation


def _path_parameters(route: Route) -> list[Document]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _IN_PATH.findall(route.path)
    ]


def _query_parameters(route: Route) -> list[Document]:
    if route.query is None:
        return []
    _, schemas = msgspec.json.schema_components([route.query], ref_template=_REF)
    schema: Mapping[str, Any] = schemas[route.query.__name__]
    return [
        {"name": name, "in": "query", "required": name in schema["required"], "schema": value}
        for name, value in schema["properties"].items()
    ]


def _success(route: Route) -> Document:
    described: Document = {"description": HTTPStatus(route.status).phrase}
    if route.answer is not None:
        described["content"] = {"application/json": {"schema": _ref(route.answer)}}
    return described


def _failures(codes: Iterable[Code]) -> Document:
    by_status = groupby(
        sorted(codes, key=lambda code: (code.status, code.wire)), lambda code: code.status
    )
    return {
        str(status): {
            "description": ", ".join(code.wire for code in same),
            "content": {MEDIA_TYPE: {"schema": _ref(Problem)}},
        }
        for status, same in by_status
    }


def _ref(struct: type[msgspec.Struct]) -> Document:
    return {"$ref": _REF.format(name=struct.__name__)}

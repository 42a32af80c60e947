"""The web client's types of the wire say what the server says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest

from webchat import model
from webchat.errors import Code
from webchat.protocol.envelope import Envelope, Join
from webchat.service.ruling_entries import GroupChange, RoleChange
from webchat.transport.rest.openapi import describe
from webchat.transport.rest.site import API_ROUTES

_SOURCE: Final = (Path(__file__).parents[2] / "web" / "src" / "wire" / "wire.ts").read_text()
_INTERFACE: Final = re.compile(
    r"export interface (\w+)(?:<.*?>)?(?: extends (\w+))? {\n(.*?)^}", re.DOTALL | re.MULTILINE
)
_FIELD: Final = re.compile(r"^  (\w+)(\??): (.+);$", re.MULTILINE)
_JSON_TYPES: Final = {
    "string": "string",
    "number": "integer",
    "boolean": "boolean",
    "Uid": "string",
    "ConvID": "string",
    "Seq": "integer",
}
_SCHEMAS: Final[dict[str, dict[str, Any]]] = describe(API_ROUTES)["components"]["schemas"]


def _fields(name: str) -> dict[str, tuple[bool, str]]:
    """The fields of an interface: whether it may be absent, and its type."""
    for found, base, body in _INTERFACE.findall(_SOURCE):
        if found == name:
            own = {field: (mark == "?", kind) for field, mark, kind in _FIELD.findall(body)}
            return (_fields(base) if base else {}) | own
    raise AssertionError(f"no interface {name}")


@pytest.mark.parametrize(
    ("interface", "schema"),
    [
        ("Person", "User"),
        ("Profile", "Me"),
        ("ConversationItem", "ListedConversation"),
        ("ConversationDetails", "Conversation"),
        ("LoginSession", "Session"),
        ("Member", "Member"),
        ("Reader", "Receipt"),
        ("GroupSettings", "GroupSettings"),
        ("Invitation", "Invitation"),
        ("Entered", "Entered"),
        ("InviteLink", "InviteLink"),
        ("MadeLink", "MadeLink"),
        ("PublicGroup", "PublicGroup"),
    ],
)
def test_what_the_client_reads_is_what_the_api_answers(interface: str, schema: str) -> None:
    described = _SCHEMAS[schema]
    for name, (optional, kind) in _fields(interface).items():
        assert name in described["properties"]
        assert optional or name in described["required"]
        if kind in _JSON_TYPES:
            assert described["properties"][name]["type"] == _JSON_TYPES[kind]


def test_what_the_client_changes_is_what_the_api_takes() -> None:
    changeable = _SCHEMAS["MyChange"]["properties"]
    assert set(_fields("ProfileChange")) <= set(changeable)


@pytest.mark.parametrize(("interface", "struct"), [("Outgoing", Envelope), ("JoinRequest", Join)])
def test_what_the_client_says_is_what_the_chat_takes(
    interface: str, struct: type[msgspec.Struct]
) -> None:
    taken = {field.encode_name for field in msgspec.structs.fields(struct)}
    assert set(_fields(interface)) <= taken


def test_the_client_changes_a_group_as_the_chat_takes_it() -> None:
    taken = {field.encode_name for field in msgspec.structs.fields(GroupChange)}
    assert set(_fields("GroupChange")) <= taken
    roles = {field.encode_name for field in msgspec.structs.fields(RoleChange)}
    assert set(_fields("RoleChange")) == roles


def test_the_client_tries_again_what_the_error_table_lets_succeed_later() -> None:
    body = _SOURCE.split("function isTransient", 1)[1].split("\n}", 1)[0]
    assert set(re.findall(r'"(\w+)"', body)) == {code.wire for code in Code if code.retry}


@pytest.mark.parametrize("limit", ["MAX_ID_CHARS", "MAX_NAME_CHARS"])
def test_a_limit_is_the_servers(limit: str) -> None:
    assert f"export const {limit} = {getattr(model, limit)};" in _SOURCE

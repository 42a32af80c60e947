"""Acts on groups that are refused, and what the refusal says."""

from __future__ import annotations

import json
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from tests.chat.world import World
from webchat.model import is_uid


@pytest.mark.parametrize(
    ("kind", "change", "code"),
    [
        ("create", {"Body": '["nobody"]'}, "unknown_user"),
        ("create", {"Body": "ben"}, "bad_request"),
        ("create", {"Body": '["no body"]'}, "bad_request"),
        ("create", {"Body": "[1]"}, "bad_request"),
        ("create", {"Body": json.dumps([f"u{i}" for i in range(1_001)])}, "too_large"),
        ("create", {"Body": "[]", "Name": "n" * 65}, "bad_request"),
        ("create", {"Body": "[]", "Name": 7}, "bad_request"),
        ("create", {"Body": "[]", "Name": "  "}, "bad_request"),
        ("create", {"Body": "[]", "Name": "a\u202eb"}, "bad_request"),
        ("create", {"Body": "[]", "Originated": "ben"}, "forbidden"),
        ("create", {"Body": "[]", "From": "anna"}, "forbidden"),
        ("create", {"Body": "[]", "To": "ben", "From": "ben"}, "bad_request"),
        ("refer", {"Body": "[]"}, "bad_request"),
        ("refer", {"Body": '["cleo"]'}, "not_a_member"),
        ("depart", {}, "not_a_member"),
        ("rejoin", {}, "not_a_member"),
        ("rejoin", {"Body": '["ben"]'}, "not_a_member"),
    ],
)
async def test_a_wrong_act_is_refused(
    world: World, kind: str, change: dict[str, Any], code: str
) -> None:
    anna = await world.joined("anna")
    ack = await anna.ask("chat", anna.act(kind, "group_new") | change)
    assert ack["error"]["code"] == code
    assert anna.got() == []


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("create", json.dumps(["\u202e" * 30_000])),
        ("group", json.dumps({"x" * 200_000: 1})),
        ("role", json.dumps({"uid": "ben", "role": "x" * 200_000})),
    ],
)
async def test_a_refusal_quotes_no_more_than_a_little_of_what_was_wrong(
    world: World, kind: str, body: str
) -> None:
    anna = await world.joined("anna")
    await anna.do("create", "group_1", "ben")
    refusal = await anna.do(kind, "group_1", Body=body)
    assert refusal["error"]["code"] == "bad_request"
    assert len(refusal["error"]["message"]) < 2_100


class Strict:
    """Members, who cannot be asked for what is no uid: some stores have no key so long, or none
    with such a character."""

    def __init__(self, members: Any) -> None:
        self._members = members

    def __getattr__(self, method: str) -> Any:
        return getattr(self._members, method)

    async def present_among(self, conv: str, uids: Sequence[str]) -> Any:
        assert all(map(is_uid, uids))
        return await self._members.present_among(conv, uids)


@pytest.mark.parametrize("uid", ["u" * 1_100, "be\0n", "group_2", ""])
async def test_what_is_no_users_id_no_store_is_asked_for(world: World, uid: str) -> None:
    ports = {**vars(world.store), "members": Strict(world.store.members)}
    node = World(beside=world, store=SimpleNamespace(**ports))
    anna = await node.joined("anna")
    await anna.do("create", "group_1", "ben")
    body = json.dumps({"uid": uid, "role": "admin"})
    refusal = await anna.do("role", "group_1", Body=body)
    assert refusal["error"]["code"] == "unknown_user"
    assert (await anna.do("remove", "group_1", uid))["error"]["code"] == "bad_request"
    await node.chat.close()

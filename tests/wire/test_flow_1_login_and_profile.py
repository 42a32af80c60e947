"""Seed flow 1: log in, set the profile, connect, and meet the other's profile with a message."""

from __future__ import annotations

import json

import pytest

from tests.wire.clients import Refused
from tests.wire.people import Kind, Town

KINDS: list[Kind] = ["node-websocket", "node-polling", "node-upgrade", "python-websocket"]


@pytest.mark.parametrize("kind", KINDS)
async def test_after_login_and_profile_a_message_finds_its_receiver(town: Town, kind: Kind) -> None:
    a, b = town.person("a"), town.person("b")
    saved = town.rest(a, "PATCH", "/me", json={"name": "Alice", "about": "in Seoul"})
    assert saved.status_code == 200
    alice = await town.device(a, kind)

    bob = await town.device(b, kind)
    profile = town.rest(b, "GET", f"/users/{a}").json()
    assert profile["name"] == "Alice"
    await bob.tell(a, "hello Alice")

    assert (await alice.hear("message"))["Body"] == "hello Alice"


@pytest.mark.parametrize("kind", KINDS)
async def test_a_connection_without_a_token_is_refused(town: Town, kind: Kind) -> None:
    with pytest.raises(Refused) as refused:
        await town.connect("nobody", kind)
    assert refused.value.data == {"code": "unauthenticated"}


@pytest.mark.parametrize("kind", KINDS)
async def test_a_wrong_token_is_refused(town: Town, kind: Kind) -> None:
    with pytest.raises(Refused) as refused:
        await town.connect(town.person("a"), kind, token="not-a-token")
    assert refused.value.data == {"code": "unauthenticated"}


@pytest.mark.parametrize("kind", KINDS)
async def test_the_ack_of_join_says_who_and_when(town: Town, kind: Kind) -> None:
    alice = await town.device(town.person("a"), kind)
    assert alice.joined["uid"] == alice.uid
    assert isinstance(alice.joined["time"], int)
    assert isinstance(alice.joined["version"], str)


async def test_the_seeds_rest_keeps_and_finds_profiles(open_town: Town) -> None:
    uid = open_town.person("a")
    body = json.dumps({"UID": uid, "Name": "Alice"})
    added = open_town.http.post("/add", content=body, headers={"Content-Type": "text/plain"})
    assert added.status_code == 200
    found = open_town.http.get(f"/search/{uid}").json()
    assert (found["UID"], found["Name"]) == (uid, "Alice")
    listed = [json.loads(text) for text in open_town.http.get("/getall").json()]
    assert uid in [profile["UID"] for profile in listed]

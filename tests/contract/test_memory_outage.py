"""A memory store that is down: every call fails with UNAVAILABLE, and nothing is lost."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import pytest

from tests.contract.asking import create, message, move, send
from tests.memory import ManualClock, MemoryStore
from webchat.errors import Code, WebchatError
from webchat.model import Invitation, InviteLink, Position
from webchat.ports.held import HeldLimits
from webchat.ports.log import Append
from webchat.ports.positions import Move

Call = Callable[[MemoryStore], Awaitable[object]]

LINK: Final = InviteLink("l-1", "group_x", "ann", 1, None)
INVITATION: Final = Invitation("i-1", "group_x", "ann", "bob")
CALLS: Final[dict[str, Call]] = {
    "append": lambda store: send(store, Append("group_x", (message("ann", "1"),))),
    "read": lambda store: store.log.read("group_x", 0, 1),
    "read_before": lambda store: store.log.read_before("group_x", None, 1),
    "find": lambda store: store.log.find("group_x", "ann", "1"),
    "heads": lambda store: store.log.heads(["group_x"]),
    "reactions": lambda store: store.log.reactions("group_x", [1], 99),
    "of_user": lambda store: store.members.of_user("ann"),
    "following": lambda store: store.following.of("ann"),
    "newest": lambda store: store.following.newest("ann", None, 1),
    "read_each": lambda store: store.log.read_each({"group_x": 0}, 1),
    "spans": lambda store: store.members.spans("group_x", "ann"),
    "page": lambda store: store.members.page("group_x", "", 1),
    "count": lambda store: store.members.count("group_x"),
    "at": lambda store: store.members.at("group_x", 1, 1),
    "group": lambda store: store.members.group("group_x"),
    "present_among": lambda store: store.members.present_among("group_x", ["ann"]),
    "move": lambda store: move(store, Move("group_x", "ann", 1, 1)),
    "positions of_user": lambda store: store.positions.of_user("ann", ["group_x"]),
    "of_members": lambda store: store.positions.of_members("group_x", ["ann"]),
    "counts": lambda store: store.positions.counts("group_x", "ann", [1]),
    "hold": lambda store: store.held.hold("group_x", message("ann", "1"), 1, HeldLimits()),
    "of_group": lambda store: store.held.of_group("group_x", 0),
    "held of_user": lambda store: store.held.of_user("ann", 0),
    "drop": lambda store: store.held.drop([1]),
    "successor": lambda store: store.members.successor("group_x", "ann"),
    "public": lambda store: store.members.public("", "", 1),
    "links add": lambda store: store.links.add(b"1", LINK, 9, 0),
    "links find": lambda store: store.links.find(b"1"),
    "links of_group": lambda store: store.links.of_group("group_x", 1),
    "links use": lambda store: store.links.use("l-1", "v-1"),
    "links give_back": lambda store: store.links.give_back("l-1", "v-1"),
    "links revoke": lambda store: store.links.revoke("group_x", "l-1"),
    "links forget_expired": lambda store: store.links.forget_expired(1),
    "sharing": lambda store: store.members.sharing("ann", ["bob"]),
    "careful_among": lambda store: store.accounts.careful_among(["ann"]),
    "waiting of_user": lambda store: store.invitations.of_user("ann", 1),
    "waiting find": lambda store: store.invitations.find("ann", "i-1"),
    "asked_among": lambda store: store.invitations.asked_among("group_x", ["ann"]),
    "waiting claim": lambda store: store.invitations.claim(INVITATION),
    "waiting decline": lambda store: store.invitations.decline(INVITATION),
    "waiting drop": lambda store: store.invitations.drop("ann", "group_x"),
    "expire": lambda store: store.held.expire(1),
}


@pytest.fixture
async def store(clock: ManualClock) -> MemoryStore:
    made = MemoryStore(clock)
    await made.open("open")
    await send(made, create("group_x", "ann"))
    return made


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
async def test_a_call_while_the_store_is_down_is_unavailable(
    store: MemoryStore, call: Call
) -> None:
    store.is_down = True
    with pytest.raises(WebchatError) as refusal:
        await call(store)
    assert refusal.value.code is Code.UNAVAILABLE
    store.is_down = False
    assert [entry.kind for entry in await store.log.read("group_x", 0, 9)] == ["create"]
    positions = await store.positions.of_user("ann", ["group_x"])
    assert positions == {"group_x": Position(0, 0, 0)}
    assert await store.held.of_user("ann", 0) == []

"""The contract of `ports/held.py`: messages that wait for a group the server does not know."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

import pytest

from tests.contract.asking import message
from tests.contract.conftest import NO_LOGS
from webchat.errors import Code, WebchatError
from webchat.model import Draft
from webchat.ports.held import HeldLimits, HeldMessage
from webchat.ports.store import Store

pytestmark = NO_LOGS

NOW: Final = 1_750_000_000_000
LIMITS: Final = HeldLimits(messages_per_user=3, bytes_per_group=100, lifetime_ms=1_000)


async def hold(store: Store, conv: str, draft: Draft, at: int = NOW) -> None:
    await store.held.hold(conv, draft, at, LIMITS)


async def refused(store: Store, conv: str, draft: Draft, at: int = NOW) -> None:
    with pytest.raises(WebchatError) as refusal:
        await hold(store, conv, draft, at)
    assert refusal.value.code is Code.RATE_LIMITED


def msg_ids(held: Sequence[HeldMessage]) -> list[str]:
    return [each.draft.msg_id for each in held]


async def of_group(store: Store, conv: str, not_before: int = 0) -> list[str]:
    return msg_ids(await store.held.of_group(conv, not_before))


async def test_a_held_message_is_read_as_it_was_held(store: Store) -> None:
    draft = message("ann", "1", "héllo ✓")
    await hold(store, "group_x", draft)
    (held,) = await store.held.of_group("group_x", 0)
    assert held == HeldMessage(held.id, "group_x", "ann", draft, NOW)
    assert await store.held.of_user("ann", 0) == [held]


async def test_nothing_is_held_in_an_empty_store(store: Store) -> None:
    assert await store.held.of_group("group_x", 0) == []
    assert await store.held.of_user("ann", 0) == []


async def test_messages_are_read_in_the_order_of_holding(store: Store) -> None:
    await hold(store, "group_x", message("bob", "3"), NOW + 2)
    await hold(store, "group_y", message("ann", "2"), NOW + 1)
    await hold(store, "group_x", message("ann", "1"), NOW)
    assert await of_group(store, "group_x") == ["3", "1"]
    of_user = await store.held.of_user("ann", 0)
    assert [(held.conv, held.draft.msg_id) for held in of_user] == [
        ("group_y", "2"), ("group_x", "1")
    ]  # fmt: skip
    assert of_user[0].id < of_user[1].id


async def test_a_message_sent_again_is_held_once(store: Store) -> None:
    first, again = message("ann", "1", "first"), message("ann", "1", "again")
    await hold(store, "group_x", first)
    await hold(store, "group_x", again)
    (held,) = await store.held.of_group("group_x", 0)
    assert held.draft == first


async def test_a_message_sent_twice_at_once_is_held_once(store: Store) -> None:
    sent = [message("ann", "1", text) for text in ("one", "other")]
    await asyncio.gather(*(hold(store, "group_x", draft) for draft in sent))
    (held,) = await store.held.of_group("group_x", 0)
    assert held.draft in sent


async def test_a_key_belongs_to_its_sender_and_its_group(store: Store) -> None:
    await hold(store, "group_x", message("ann", "1"))
    await hold(store, "group_x", message("bob", "1"))
    await hold(store, "group_y", message("ann", "1"))
    assert [held.uid for held in await store.held.of_group("group_x", 0)] == ["ann", "bob"]
    assert await of_group(store, "group_y") == ["1"]


async def test_a_user_has_so_many_held_over_all_groups(store: Store) -> None:
    for number in range(3):
        await hold(store, f"group_{number}", message("ann", "1"))
    await refused(store, "group_x", message("ann", "1"))
    assert await of_group(store, "group_x") == []
    await hold(store, "group_x", message("bob", "1"))


async def test_a_message_held_already_is_not_refused_at_the_limit(store: Store) -> None:
    for number in range(3):
        await hold(store, "group_x", message("ann", str(number)))
    await hold(store, "group_x", message("ann", "1"))
    assert await of_group(store, "group_x") == ["0", "1", "2"]


async def test_a_group_has_so_many_bytes_held(store: Store) -> None:
    overhead = len(message("ann", "1", "").envelope)
    await hold(store, "group_x", message("ann", "1", "a" * (50 - overhead)))
    await refused(store, "group_x", message("bob", "2", "b" * (51 - overhead)))
    await hold(store, "group_x", message("bob", "2", "b" * (50 - overhead)))
    await refused(store, "group_x", message("cid", "3", ""))
    await hold(store, "group_y", message("cid", "3", ""))
    assert await of_group(store, "group_x") == ["1", "2"]


async def test_bytes_are_counted_not_characters(store: Store) -> None:
    await refused(store, "group_x", message("ann", "1", "✓" * 34))


async def test_what_has_expired_does_not_count(store: Store) -> None:
    for number in range(3):
        await hold(store, "group_x", message("ann", str(number), "a" * 15))
    await refused(store, "group_x", message("ann", "3"), NOW + LIMITS.lifetime_ms)
    await hold(store, "group_x", message("ann", "3", "a" * 50), NOW + LIMITS.lifetime_ms + 1)
    assert await of_group(store, "group_x", NOW + 1) == ["3"]


async def test_what_has_expired_can_be_held_again(store: Store) -> None:
    await hold(store, "group_x", message("ann", "1", "old"))
    await hold(store, "group_x", message("ann", "1", "new"), NOW + LIMITS.lifetime_ms + 1)
    (held,) = await store.held.of_group("group_x", NOW + 1)
    assert held.draft == message("ann", "1", "new")


async def test_reads_leave_out_what_was_held_before(store: Store) -> None:
    for number in range(3):
        await hold(store, "group_x", message("ann", str(number)), NOW + number)
    assert await of_group(store, "group_x", NOW + 1) == ["1", "2"]
    assert msg_ids(await store.held.of_user("ann", NOW + 2)) == ["2"]


async def test_dropped_messages_are_gone_and_leave_room(store: Store) -> None:
    for number in range(3):
        await hold(store, "group_x", message("ann", str(number)))
    first, _, third = await store.held.of_group("group_x", 0)
    await store.held.drop([first.id, third.id, 10**9])
    assert await of_group(store, "group_x") == ["1"]
    await hold(store, "group_x", message("ann", "3"))
    held = await store.held.of_group("group_x", 0)
    assert msg_ids(held) == ["1", "3"]
    assert held[1].id > third.id


async def test_dropping_nothing_does_nothing(store: Store) -> None:
    await hold(store, "group_x", message("ann", "1"))
    await store.held.drop([])
    assert await of_group(store, "group_x") == ["1"]


async def test_expiring_forgets_what_was_held_before_that_time(store: Store) -> None:
    for number in range(3):
        await hold(store, "group_x", message("ann", str(number)), NOW + number)
    await store.held.expire(NOW + 2)
    assert await of_group(store, "group_x") == ["2"]

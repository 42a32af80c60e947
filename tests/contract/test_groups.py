"""The contract of what is true of a group: its row, and its members' roles."""

from __future__ import annotations

import msgspec
import pytest

from tests.contract.asking import create, depart, message, named, notice, refer, send, with_row
from webchat.adapters.dynamodb import DynamoStore
from webchat.errors import WebchatError
from webchat.model import Group, Membership, Position, seal
from webchat.ports.log import SEQ_OF_ENTRY, Append, Follow
from webchat.ports.store import Store
from webchat.ports.transfer import EntryRecord, GroupRecord, MemberRecord, Record

FRIENDS = Group("group_x", name="Friends Ω")


def role(conv: str, uid: str, since: int, role: str) -> Append:
    """A member's role from now on."""
    follow = Follow((Membership(conv, uid, since, None, role),))
    return Append(conv, (notice("setting", "ann"),), is_membership=True, follow=follow)


async def test_a_group_is_read_as_it_was_made(store: Store) -> None:
    await send(store, named(FRIENDS, "ann", "bob"))
    assert await store.members.group("group_x") == FRIENDS


async def test_no_group_of_that_id_is_none(store: Store) -> None:
    assert await store.members.group("group_x") is None
    await send(store, create("group_x", "ann"))
    assert await store.members.group("group_x") is None


async def test_a_later_row_takes_the_place_of_an_earlier_one(store: Store) -> None:
    await send(store, named(FRIENDS, "ann", "bob"))
    renamed = Group(
        "group_x", "New", "file-1", history_open=True, announcements=True, public=True, closed=False
    )
    await send(store, with_row(Append("group_x", (notice("setting", "ann"),)), renamed))
    assert await store.members.group("group_x") == renamed


async def test_an_append_without_a_row_leaves_the_row(store: Store) -> None:
    await send(store, named(FRIENDS, "ann", "bob"))
    await send(store, refer("group_x", "ann", "cid"))
    assert await store.members.group("group_x") == FRIENDS


async def test_a_group_is_closed_with_its_last_members_depart(store: Store) -> None:
    await send(store, named(FRIENDS, "ann"))
    closed = msgspec.structs.replace(FRIENDS, closed=True)
    await send(store, with_row(depart("group_x", "ann", since=1), closed))
    assert await store.members.group("group_x") == closed
    assert await store.members.count("group_x") == 0


async def test_a_refused_group_leaves_the_row_of_the_first(store: Store) -> None:
    first, second = (named(Group("group_x", name), "ann") for name in ("first", "second"))
    await send(store, first)
    with pytest.raises(WebchatError):
        await send(store, second)
    assert await store.members.group("group_x") == Group("group_x", "first")


async def test_the_role_of_an_entry_in_the_list_of_members_is_kept(store: Store) -> None:
    span = Membership("group_x", "ann", SEQ_OF_ENTRY, None, "admin")
    request = Append("group_x", (message("ann", "1"),), is_membership=True, follow=Follow((span,)))
    await send(store, request)
    assert await store.members.page("group_x", "", 9) == [
        Membership("group_x", "ann", 1, None, "admin")
    ]


async def test_a_role_changes_and_nothing_else_does(store: Store) -> None:
    await send(store, create("group_x", "ann", "bob"))
    await send(store, Append("group_x", (message("bob", "1"),), moves_sender=True))
    await send(store, role("group_x", "bob", 1, "admin"))
    assert await store.members.spans("group_x", "bob") == [
        Membership("group_x", "bob", 1, None, "admin")
    ]
    assert await store.members.count("group_x") == 2
    assert await store.positions.of_user("bob", ["group_x"]) == {"group_x": Position(2, 2, 1)}
    await send(store, role("group_x", "bob", 1, ""))
    assert [span.role for span in await store.members.of_user("bob")] == [""]


async def test_a_role_for_another_span_than_the_open_one_changes_nothing(store: Store) -> None:
    await send(store, create("group_x", "ann", "bob"))
    await send(store, role("group_x", "bob", SEQ_OF_ENTRY, "admin"))
    assert [span.role for span in await store.members.spans("group_x", "bob")] == [""]


async def test_a_role_ends_with_the_span(store: Store) -> None:
    await send(store, create("group_x", "ann", "bob"))
    await send(store, role("group_x", "bob", 1, "admin"))
    await send(store, depart("group_x", "bob", since=1))
    await send(store, refer("group_x", "ann", "bob"))
    assert (await store.members.spans("group_x", "bob"))[-1] == Membership(
        "group_x", "bob", 4, None, ""
    )


async def test_the_successor_is_who_came_in_first_admins_before_members(store: Store) -> None:
    await send(store, create("group_x", "dan", "cid"))
    await send(store, refer("group_x", "dan", "bob", "ann"))
    assert await successor_of(store, "dan") == "cid"
    await send(store, role("group_x", "bob", 2, "admin"))
    await send(store, role("group_x", "ann", 2, "admin"))
    assert await successor_of(store, "dan") == "ann"
    assert await successor_of(store, "ann") == "bob"
    await send(store, depart("group_x", "ann", since=2))
    await send(store, depart("group_x", "bob", since=2))
    assert await successor_of(store, "dan") == "cid"
    assert await successor_of(store, "cid") == "dan"


async def test_who_is_alone_has_no_successor(store: Store) -> None:
    await send(store, create("group_x", "ann"))
    assert await store.members.successor("group_x", "ann") is None
    assert await store.members.successor("group_none", "ann") is None


async def successor_of(store: Store, uid: str) -> str:
    span = await store.members.successor("group_x", uid)
    assert span is not None
    return span.uid


async def test_public_groups_are_found_by_the_beginning_of_their_name(store: Store) -> None:
    for conv, name in (("group_c", "Chess"), ("group_a", "CHECKERS"), ("group_b", "Go Ω")):
        await send(store, named(Group(conv, name, public=True), "ann"))
    await send(store, named(Group("group_d", "Chess"), "ann"))
    await send(store, named(Group("group_e", "Chess", public=True, closed=True), "ann"))

    async def found(prefix: str, after: str = "", limit: int = 9) -> list[str]:
        return [group.conv for group in await store.members.public(prefix, after, limit)]

    assert await found("") == ["group_a", "group_b", "group_c"]
    assert await found("che") == ["group_a", "group_c"]
    assert await found("ChEsS") == ["group_c"]
    assert await found("go ω") == ["group_b"]
    assert await found("hess") == await found("%") == await found("", limit=0) == []
    assert await found("", limit=2) == ["group_a", "group_b"]
    assert await found("", after="group_a") == ["group_b", "group_c"]


async def test_public_groups_among_many_that_match_are_paged_by_id_too(store: Store) -> None:
    # From 1,000 matches on SQL asks otherwise; DynamoDB never does, and its engines take long.
    many = 40 if isinstance(store, DynamoStore) else 1_200
    groups = [Group(f"group_{number:04}", "Chess", public=number % 5 > 0) for number in range(many)]
    groups += [Group("group_z", "Checkers", public=True)]
    records: list[Record] = []
    for each in groups:
        entry = seal(notice("group", "ann"), each.conv, 1, 0, 1)
        span = Membership(each.conv, "ann", 1, None, "owner")
        records += [EntryRecord(entry, 1), MemberRecord(span), GroupRecord(each)]
    await store.transfer.restore(records)

    async def found(prefix: str, after: str, limit: int) -> list[str]:
        return [group.conv for group in await store.members.public(prefix, after, limit)]

    assert await found("che", "", 3) == ["group_0001", "group_0002", "group_0003"]
    assert await found("CHESS", "group_0004", 2) == ["group_0006", "group_0007"]
    public = [each.conv for each in groups if each.public]
    assert await found("", public[-4], 9) == public[-3:]
    assert await found("chess", public[-4], 9) == public[-3:-1]


async def test_a_group_is_found_as_it_is_now(store: Store) -> None:
    await send(store, named(Group("group_x", "Old"), "ann"))
    for group in (
        Group("group_x", "New", "file-1", public=True, announcements=True),
        Group("group_x", "Newer", public=True),
        Group("group_x", "Newer"),
    ):
        await send(store, with_row(Append("group_x", (notice("group", "ann"),)), group))
        expected = [group] if group.public else []
        assert await store.members.public("new", "", 9) == expected
        assert await store.members.public("old", "", 9) == []

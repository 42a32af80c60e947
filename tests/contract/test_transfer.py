"""The contract of `ports/transfer.py`: all that is kept, from any store into any other."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import product
from pathlib import Path
from typing import get_args

import pytest

from tests.contract.asking import (
    create,
    delete,
    depart,
    edit,
    message,
    move,
    named,
    react,
    refer,
    send,
    to_pair,
)  # fmt: skip
from tests.contract.conftest import STORES
from tests.memory import ManualClock
from tests.profiles import save_profile
from webchat.model import Draft, Group, Invitation, InviteLink, Login, Profile, pair_conv, user_log
from webchat.ports.held import HeldLimits
from webchat.ports.log import Append, invite
from webchat.ports.positions import Move
from webchat.ports.store import Store, StoreRefused
from webchat.ports.transfer import EntryRecord, HeldRecord, KeptRecord, Record

NOW = 1_750_000_000_000
CONV = pair_conv("ann", "bob")
KINDS = [kind for kind in STORES if "remembers little" not in kind]
Open = Callable[[str], Awaitable[Store]]


@pytest.fixture
async def open_store(tmp_path: Path, clock: ManualClock) -> AsyncIterator[Open]:
    """Opens further stores, empty ones, by their kind."""
    stores: list[Store] = []

    async def open_one(kind: str) -> Store:
        directory = tmp_path / f"another-{len(stores)}"
        directory.mkdir()
        made = STORES[kind].make(directory, clock)
        if init := getattr(made, "init", None):
            await init()
        await made.open("secured")
        stores.append(made)
        return made

    yield open_one
    for each in stores:
        await each.close()


async def fill(store: Store) -> None:
    """Keep something of everything, some of it changed and some of it gone again."""
    await fill_logs(store)
    accounts = store.accounts
    for at, (uid, name) in enumerate([("ann", "Ann\0 Ä"), ("bob", "Bob"), ("cid", "Cid B.")]):
        profile = Profile(uid, name, "about ✓", uid != "bob", "shared", uid == "cid")
        await accounts.create(profile, f"hash-{uid}", NOW + at)
    await save_profile(accounts, Profile("ann", "Ann", "", True, "everybody", False), NOW + 9)
    await store.logins.add(b"\x00\xff" * 16, Login("l1", "ann", NOW, NOW + 1, NOW + 2))
    await store.logins.add(b"\x01" * 32, Login("l2", "bob", NOW, NOW, NOW + 2))
    await store.logins.revoke("bob", "l2")
    await store.kept.keep("bob", [b'{"a":1}', b'{"a":2}', b'{"a":1}'], 10)
    await store.kept.keep("ann", [b'{"a":3}'], 10)
    for msg_id in ("h1", "h2"):
        await store.held.hold("group_z", message("bob", msg_id), NOW, HeldLimits())
    await send(store, invite(Invitation("i1", "group_x", "dan", "ann"), NOW, None))
    await send(store, invite(Invitation("i2", "group_y", "dan", "ann"), NOW, None))
    await store.links.add(b"\x02" * 32, InviteLink("k1", "group_x", "ann", NOW + 5, None), 50, NOW)
    await store.links.add(b"\x03" * 32, InviteLink("k2", "group_x", "ann", NOW + 5, 3), 50, NOW)
    await store.links.use("k2", "v-1")


async def fill_logs(store: Store) -> None:
    for number in range(3):
        await send(store, to_pair("ann", "bob", f"m{number}"))
    group = Group("group_x", "Näme\0", "pic", history_open=True, public=True)
    await send(store, named(group, "ann", "bob", "cid"))
    await send(store, Append("group_x", (message("bob", "\0?"), message("bob", ""))))
    await send(store, edit("group_x", "bob", 2, 'chänged "✓"', "e1"))
    await send(store, delete("group_x", "bob", 3))
    await send(store, react("group_x", "ann", 2, "👍"))
    await send(store, react("group_x", "cid", 2, "👎"))
    await send(store, react("group_x", "cid", 2, ""))
    await send(store, depart("group_x", "cid", since=1))
    await send(store, refer("group_x", "ann", "cid"))
    await move(store, Move("group_x", "bob", 4, 3), Move(CONV, "bob", 2, 0))


async def records(store: Store) -> list[Record]:
    return [record async for record in store.transfer.records()]


async def copy(source: Store, target: Store, page: int = 7) -> None:
    all_of_it = await records(source)
    for start in range(0, len(all_of_it), page):
        await target.transfer.restore(all_of_it[start : start + page])


@pytest.mark.parametrize(("source_kind", "target_kind"), [*product(KINDS, KINDS)])
async def test_what_goes_from_one_store_to_another_is_the_same_there(
    source_kind: str, target_kind: str, open_store: Open
) -> None:
    source, target = await open_store(source_kind), await open_store(target_kind)
    await fill(source)
    await copy(source, target)
    assert Counter(await records(target)) == Counter(await records(source))


async def test_every_kind_of_record_is_told(store: Store) -> None:
    await fill(store)
    told = {type(record) for record in await records(store)}
    assert told == set(get_args(Record))


async def test_records_of_a_log_ascend_and_stand_next_to_each_other(store: Store) -> None:
    for number in range(4):
        asked = [send(store, to_pair("ann", other, str(number))) for other in ("bob", "cid")]
        await asyncio.gather(*asked)
    entries = [r.entry for r in await records(store) if isinstance(r, EntryRecord)]
    logs = dict.fromkeys(entry.conv for entry in entries)
    of_logs = [await store.log.read(conv, 0, 100) for conv in logs]
    assert entries == [entry for of_log in of_logs for entry in of_log]
    assert set(logs) == {CONV, "dm:ann:cid", *map(user_log, ("ann", "bob", "cid"))}


async def test_a_page_written_twice_is_kept_once(store: Store, open_store: Open) -> None:
    source = await open_store("memory")
    await fill(source)
    all_of_it = await records(source)
    for page in (all_of_it[:20], all_of_it[20:]):
        await store.transfer.restore(page)
        await store.transfer.restore(page)
    assert Counter(await records(store)) == Counter(all_of_it)


async def test_what_was_kept_and_held_twice_is_so_again_though_a_page_ends_between(
    open_store: Open,
) -> None:
    target = await open_store("postgresql")
    kept = KeptRecord("bob", b'{"a":1}')
    held = HeldRecord("group_z", Draft("message", "bob", "", b"{}"), NOW)
    pages: list[list[Record]] = [[kept], [kept, held], [held, held]]
    for page in pages:
        await target.transfer.restore(page)
        await target.transfer.restore(page)
    assert Counter(await records(target)) == Counter([kept, kept, held, held, held])


async def test_a_store_goes_on_where_what_it_was_filled_with_ended(
    store: Store, open_store: Open
) -> None:
    source = await open_store("memory")
    await fill(source)
    await copy(source, store)
    again = await send(store, to_pair("ann", "bob", "m1"))
    assert (again.fresh, again.entries) == (False, tuple(await source.log.read(CONV, 1, 1)))
    outcome = await send(store, to_pair("bob", "ann", "new"))
    assert (outcome.entries[0].seq, outcome.entries[0].n, outcome.followed) == (4, 4, ())
    assert await store.log.heads(["group_x"]) == await source.log.heads(["group_x"])
    assert await store.members.count("group_x") == 3
    assert await store.members.at("group_x", 8, 9) == await source.members.at("group_x", 8, 9)
    assert [p.uid for p in await store.accounts.recent(9)] == ["ann", "cid", "bob"]
    assert [p.uid for p in await store.accounts.search("bo", "", 9)] == ["bob"]
    assert await store.log.reactions("group_x", [2], 99) == {2: {"ann": "👍"}}
    assert await store.kept.take("bob", 2) == [b'{"a":1}', b'{"a":2}']
    held = await store.held.of_group("group_z", 0)
    assert [message.draft.msg_id for message in held] == ["h1", "h2"]
    found = await store.members.public("näme", "", 9)
    assert [group.conv for group in found] == ["group_x"]
    invitations = await store.invitations.of_user("dan", 9)
    assert [invitation.id for invitation in invitations] == ["i2", "i1"]
    await send(store, edit("group_x", "bob", 2, "again"))
    assert b'"Body":"again"' in (await store.log.read("group_x", 1, 1))[0].envelope


async def test_only_a_store_that_never_kept_anything_is_empty(store: Store) -> None:
    assert await store.transfer.is_empty()
    assert await records(store) == []
    draft = Draft("message", "ann", "1", b"{}")
    await store.held.hold("group_z", draft, NOW, HeldLimits())
    assert not await store.transfer.is_empty()


async def test_a_store_with_a_log_is_not_empty(store: Store) -> None:
    await send(store, create("group_x", "ann"))
    assert not await store.transfer.is_empty()


async def test_a_store_with_an_account_is_not_empty(store: Store) -> None:
    await save_profile(store.accounts, Profile("ann", "Ann", "", True, "shared", False), NOW)
    assert not await store.transfer.is_empty()


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "memory"])
async def test_a_store_whose_filling_did_not_come_to_its_end_is_not_opened(
    kind: str, tmp_path: Path, clock: ManualClock
) -> None:
    store = STORES[kind].make(tmp_path, clock)
    if init := getattr(store, "init", None):
        await init()
    await store.open("secured")
    await store.transfer.begin()
    await store.transfer.begin()
    assert await store.transfer.is_empty()
    await store.close()
    with pytest.raises(StoreRefused, match="a part of an import alone") as refusal:
        await store.open("secured")
    assert "import" in str(refusal.value).rpartition(": ")[2]


async def test_a_store_that_was_filled_to_the_end_is_opened(open_store: Open) -> None:
    for kind in KINDS:
        store = await open_store(kind)
        await store.transfer.begin()
        await copy(store, store)
        await store.transfer.finish()
        await store.close()
        await store.open("secured")
        assert await store.transfer.is_empty()


async def test_a_check_tells_of_a_filling_that_did_not_come_to_its_end(
    tmp_path: Path, clock: ManualClock
) -> None:
    store = STORES["sqlite"].make(tmp_path, clock)
    await store.open("secured")
    await store.transfer.begin()
    assert STORES["sqlite"].check(tmp_path) == [
        "it holds a part of an import alone, which did not come to its end"
    ]
    await store.transfer.finish()
    assert STORES["sqlite"].check(tmp_path) == []
    await store.close()

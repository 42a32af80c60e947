"""The contracts of logins (`ports/accounts.py`) and kept receipts (`ports/kept.py`)."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from tests.contract.conftest import NO_LOGS
from tests.memory import ManualClock
from webchat.model import Login
from webchat.ports.accounts import Revocation
from webchat.ports.store import Store

pytestmark = NO_LOGS

DAY_S = 24 * 3600


def login(login_id: str, uid: str = "ann", created_at: int = 1, expires_at: int = 100) -> Login:
    return Login(login_id, uid, created_at, created_at, expires_at)


def users(told: Sequence[Revocation]) -> list[str]:
    """Of whom revocations speak, once each."""
    return list(dict.fromkeys(each.uid for each in told))


async def ids_of(store: Store, uid: str) -> list[str]:
    return [each.id for each in await store.logins.of_user(uid)]


async def test_a_login_is_found_by_the_hash_of_its_token(store: Store) -> None:
    await store.logins.add(b"\x00hash", login("l1"))
    assert await store.logins.find(b"\x00hash") == login("l1")
    assert await store.logins.find(b"other") is None


async def test_touching_logins_slides_them(store: Store) -> None:
    for name in ("l1", "l2", "l3"):
        await store.logins.add(name.encode(), login(name))
    used = {
        name: msgspec.structs.replace(login(name), last_used_at=at, expires_at=100 + at)
        for at, name in enumerate(("l1", "l3", "nobody's"), start=50)
    }
    await store.logins.touch(list(used.values()))
    assert await store.logins.find(b"l1") == used["l1"]
    assert await store.logins.find(b"l2") == login("l2")
    assert await store.logins.find(b"l3") == used["l3"]


async def test_a_users_logins_come_newest_first(store: Store) -> None:
    await store.logins.add(b"1", login("l1", created_at=1))
    await store.logins.add(b"2", login("l2", created_at=3))
    await store.logins.add(b"3", login("l3", created_at=2))
    await store.logins.add(b"4", login("l4", uid="bob"))
    assert await ids_of(store, "ann") == ["l2", "l3", "l1"]


async def test_revoking_a_login_ends_it_and_tells(store: Store) -> None:
    await store.logins.add(b"1", login("l1"))
    last, _ = await store.logins.revocations(None)
    assert await store.logins.revoke("ann", "l1")
    assert await store.logins.find(b"1") is None
    newest, told = await store.logins.revocations(last)
    assert told[-1] == Revocation(newest, "ann")
    assert users(told) == ["ann"]


async def test_anothers_or_no_login_cannot_be_revoked(store: Store) -> None:
    await store.logins.add(b"1", login("l1"))
    assert not await store.logins.revoke("bob", "l1")
    assert not await store.logins.revoke("ann", "l2")
    assert await store.logins.find(b"1") == login("l1")
    assert await store.logins.revocations(0) == (0, [])


async def test_revoking_all_but_one(store: Store) -> None:
    for number in (1, 2, 3):
        await store.logins.add(bytes([number]), login(f"l{number}"))
    await store.logins.add(b"b", login("l4", uid="bob"))
    await store.logins.revoke_all("ann", except_login="l2")
    assert (await ids_of(store, "ann"), await ids_of(store, "bob")) == (["l2"], ["l4"])
    last, told = await store.logins.revocations(0)
    assert users(told) == ["ann"]
    await store.logins.revoke_all("ann")
    assert await ids_of(store, "ann") == []
    assert users((await store.logins.revocations(last))[1]) == ["ann"]


async def test_revocations_are_told_from_where_one_was(store: Store) -> None:
    await store.logins.revoke_all("ann")
    first, none = await store.logins.revocations(None)
    assert none == []
    for uid in ("bob", "cid"):
        await store.logins.revoke_all(uid)
    last, told = await store.logins.revocations(first)
    assert users(told) == ["bob", "cid"]
    assert await store.logins.revocations(last) == (last, [])


async def test_expired_logins_are_found_until_they_are_forgotten(store: Store) -> None:
    await store.logins.add(b"1", login("l1", expires_at=10))
    await store.logins.add(b"2", login("l2", expires_at=11))
    assert await store.logins.find(b"1") == login("l1", expires_at=10)
    await store.logins.forget_expired(10)
    assert await store.logins.find(b"1") is None
    assert await ids_of(store, "ann") == ["l2"]


async def test_revocations_are_forgotten_after_a_day_but_their_ids_never(
    store: Store, clock: ManualClock
) -> None:
    await store.logins.revoke_all("ann")
    clock.advance(DAY_S / 2)
    await store.logins.revoke_all("bob")
    clock.advance(DAY_S / 2 + 1)
    await store.logins.forget_expired(clock.now_ms())
    last, told = await store.logins.revocations(0)
    assert users(told) == ["bob"]
    clock.advance(DAY_S)
    await store.logins.forget_expired(clock.now_ms())
    assert await store.logins.revocations(0) == (last, [])
    await store.logins.revoke_all("cid")
    assert (await store.logins.revocations(last))[1][0].id == last + 1


async def test_kept_receipts_are_taken_once_oldest_first(store: Store) -> None:
    await store.kept.keep("ann", [b"1", b"2"], newest=10)
    await store.kept.keep("ann", [b"3"], newest=10)
    await store.kept.keep("bob", [b"b"], newest=10)
    assert await store.kept.take("ann", 2) == [b"1", b"2"]
    assert await store.kept.take("ann", 2) == [b"3"]
    assert await store.kept.take("ann", 2) == []
    assert await store.kept.take("bob", 2) == [b"b"]


async def test_only_the_newest_receipts_are_kept(store: Store) -> None:
    await store.kept.keep("bob", [b"b"], newest=3)
    await store.kept.keep("ann", [b"1", b"2"], newest=3)
    await store.kept.keep("ann", [b"3", b"4", b"5"], newest=3)
    assert await store.kept.take("ann", 10) == [b"3", b"4", b"5"]
    assert await store.kept.take("bob", 10) == [b"b"]

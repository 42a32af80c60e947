"""The contract of `ports/accounts.py`: accounts and their search."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from tests.contract.conftest import NO_LOGS
from tests.profiles import save_profile
from webchat.adapters.dynamodb import DynamoStore
from webchat.errors import Code, WebchatError
from webchat.model import Profile
from webchat.ports.accounts import Changed
from webchat.ports.store import Store
from webchat.ports.transfer import AccountRecord

pytestmark = NO_LOGS


def person(uid: str, name: str = "", *, disabled: bool = False) -> Profile:
    return Profile(uid, name or uid, "", True, "everybody", disabled)


async def found(store: Store, prefix: str, after: str = "", limit: int = 50) -> list[str]:
    return [profile.uid for profile in await store.accounts.search(prefix, after, limit)]


async def test_an_account_is_read_as_it_was_created(store: Store) -> None:
    profile = Profile("ann", "Ann Ω", "about me", False, "shared", False)
    await store.accounts.create(profile, "hash", 1)
    assert await store.accounts.profile("ann") == profile
    assert await store.accounts.password_hash("ann") == "hash"


async def test_who_has_no_account_has_no_profile_and_no_password(store: Store) -> None:
    await store.accounts.create(person("ann"), "hash", 1)
    assert await store.accounts.profile("Ann") is None
    assert await store.accounts.password_hash("bob") is None


@pytest.mark.parametrize("uid", ["ann", "ANN", "Ann"])
async def test_a_uid_is_given_once_in_any_case(store: Store, uid: str) -> None:
    await store.accounts.create(person("ann", "first"), "hash", 1)
    with pytest.raises(WebchatError) as refusal:
        await store.accounts.create(person(uid, "second"), "other", 2)
    assert refusal.value.code is Code.CONFLICT
    assert [profile.name for profile in await store.accounts.page("", 9)] == ["first"]
    assert await store.accounts.password_hash("ann") == "hash"


async def test_of_two_who_register_a_uid_at_once_one_gets_it(store: Store) -> None:
    asked = [store.accounts.create(person(uid), "", 1) for uid in ("ann", "Ann", "aNN")]
    outcomes = await asyncio.gather(*asked, return_exceptions=True)
    assert [isinstance(outcome, WebchatError) for outcome in outcomes].count(True) == 2


async def test_saving_a_profile_keeps_the_password(store: Store) -> None:
    await store.accounts.create(person("ann"), "hash", 1)
    changed = Profile("ann", "Ann B.", "new", False, "shared", True)
    await save_profile(store.accounts, changed, 2)
    assert await store.accounts.profile("ann") == changed
    assert await store.accounts.password_hash("ann") == "hash"


async def test_saving_the_profile_of_nobody_makes_an_account(store: Store) -> None:
    await save_profile(store.accounts, person("ann"), 1)
    assert await store.accounts.profile("ann") == person("ann")
    assert await store.accounts.password_hash("ann") == ""
    with pytest.raises(WebchatError):
        await store.accounts.create(person("ANN"), "", 2)


async def test_saving_a_password_replaces_it(store: Store) -> None:
    await store.accounts.create(person("ann"), "old", 1)
    await store.accounts.save_password("ann", "new")
    await store.accounts.save_password("nobody", "new")
    assert await store.accounts.password_hash("ann") == "new"
    assert await store.accounts.password_hash("nobody") is None


async def test_a_password_is_replaced_only_if_it_is_the_expected_one(store: Store) -> None:
    await store.accounts.create(person("ann"), "old", 1)
    assert not await store.accounts.save_password("ann", "stolen", "older")
    assert await store.accounts.password_hash("ann") == "old"
    assert await store.accounts.save_password("ann", "new", "old")
    assert await store.accounts.password_hash("ann") == "new"
    assert not await store.accounts.save_password("nobody", "new", "old")


async def test_of_new_passwords_at_once_that_expect_the_same_old_one_one_is_written(
    store: Store,
) -> None:
    await store.accounts.create(person("ann"), "old", 1)
    asked = [store.accounts.save_password("ann", f"new{number}", "old") for number in range(5)]
    outcomes = await asyncio.gather(*asked)
    assert outcomes.count(True) == 1
    assert await store.accounts.password_hash("ann") == f"new{outcomes.index(True)}"


async def test_a_change_writes_the_fields_it_names_and_tells_what_was_and_is(
    store: Store,
) -> None:
    was = Profile("ann", "Ann", "about", False, "shared", True)
    await store.accounts.create(was, "hash", 1)
    changed = await store.accounts.change_profile("ann", {"name": "Anna"}, 2)
    assert changed == Changed(was, msgspec.structs.replace(was, name="Anna"))
    assert await store.accounts.profile("ann") == changed.after
    assert await store.accounts.password_hash("ann") == "hash"
    assert [profile.uid for profile in await store.accounts.recent(1)] == ["ann"]


async def test_changes_at_once_of_different_fields_all_hold(store: Store) -> None:
    await store.accounts.create(person("ann"), "hash", 1)
    wanted = {
        "name": "Anna",
        "about": "about",
        "display_receipts": False,
        "who_may_add_me": "shared",
        "disabled": True,
    }
    asked = [store.accounts.change_profile("ann", {name: wanted[name]}, 2) for name in wanted]
    await asyncio.gather(*asked, store.accounts.save_password("ann", "new"))
    assert await store.accounts.profile("ann") == Profile("ann", **wanted)  # type: ignore[arg-type]
    assert await store.accounts.password_hash("ann") == "new"


async def test_nobody_is_changed_unless_it_is_said_what_to_make(store: Store) -> None:
    assert await store.accounts.change_profile("ann", {"name": "Anna"}, 1) is None
    assert await store.accounts.profile("ann") is None
    changed = await store.accounts.change_profile("ann", {"name": "Anna"}, 1, person("ann"))
    assert changed == Changed(person("ann"), person("ann", "Anna"))
    assert await store.accounts.profile("ann") == person("ann", "Anna")
    assert await store.accounts.password_hash("ann") == ""
    with pytest.raises(WebchatError):
        await store.accounts.create(person("ANN"), "", 2)


async def test_changes_at_once_that_may_make_an_account_all_hold(store: Store) -> None:
    wanted = {"name": "Anna", "about": "about", "display_receipts": False}
    asked = [
        store.accounts.change_profile("ann", {name: value}, 1, person("ann"))
        for name, value in wanted.items()
    ]
    await asyncio.gather(*asked)
    assert await store.accounts.profile("ann") == Profile(
        "ann", "Anna", "about", False, "everybody", False
    )


async def test_a_change_is_found_by_the_new_name_alone_and_not_while_disabled(
    store: Store,
) -> None:
    await store.accounts.create(person("u1", "Ann Old"), "", 1)
    await store.accounts.change_profile("u1", {"name": "Bea New"}, 2)
    assert (await found(store, "old"), await found(store, "new")) == ([], ["u1"])
    await store.accounts.change_profile("u1", {"disabled": True}, 3)
    assert await found(store, "new") == []
    await store.accounts.change_profile("u1", {"disabled": False}, 4)
    assert await found(store, "new") == ["u1"]


async def test_search_finds_by_uid_name_and_words_in_any_case(store: Store) -> None:
    for profile in (
        person("u1", "Ägidius Straße"),
        person("u2", "Maria Ängström"),
        person("pfel", "\uff26ull Width"),
        person("ann.b", "Somebody Else"),
    ):
        await store.accounts.create(profile, "", 1)
    assert await found(store, "äG") == ["u1"]
    assert await found(store, "ä") == ["u1", "u2"]
    assert await found(store, "STRASSE") == ["u1"]
    assert await found(store, "ANN.") == ["ann.b"]
    assert await found(store, "somebody e") == ["ann.b"]
    assert await found(store, "full") == ["pfel"]
    assert await found(store, "dius") == []


async def test_search_takes_wildcards_literally(store: Store) -> None:
    await store.accounts.create(person("ann"), "", 1)
    for prefix in ("%", "_nn", "*", "a%", "'"):
        assert await found(store, prefix) == []


async def test_search_leaves_out_the_disabled_until_they_are_enabled(store: Store) -> None:
    await store.accounts.create(person("ann"), "", 1)
    await save_profile(store.accounts, person("ann", disabled=True), 2)
    assert await found(store, "ann") == []
    await save_profile(store.accounts, person("ann"), 3)
    assert await found(store, "ann") == ["ann"]


async def test_search_forgets_an_old_name(store: Store) -> None:
    await store.accounts.create(person("u1", "Ann Old"), "", 1)
    await save_profile(store.accounts, person("u1", "Ann New"), 2)
    assert (await found(store, "old"), await found(store, "new")) == ([], ["u1"])


async def test_search_is_paged_by_uid(store: Store) -> None:
    for number in range(9, 0, -1):
        await store.accounts.create(person(f"u{number}", "Ann Ann"), "", number)
    assert await found(store, "ann", limit=3) == ["u1", "u2", "u3"]
    assert await found(store, "ann", after="u3", limit=3) == ["u4", "u5", "u6"]
    assert await found(store, "", after="u8") == ["u9"]


async def test_search_among_many_matches_is_paged_by_uid_too(store: Store) -> None:
    # From 1,000 matches on SQL asks otherwise; DynamoDB never does, and its engines take long.
    many = 40 if isinstance(store, DynamoStore) else 1_200
    people = [person(f"ann{number:04}", "A B") for number in range(many)]
    await store.transfer.restore([AccountRecord(each, "", 1) for each in people])
    await save_profile(store.accounts, person("ann0001", disabled=True), 2)
    assert await found(store, "an", limit=3) == ["ann0000", "ann0002", "ann0003"]
    last = [each.uid for each in people[-3:]]
    assert await found(store, "", after=last[0]) == last[1:]
    assert await found(store, "b", after="ann0005", limit=2) == ["ann0006", "ann0007"]


async def test_search_finds_many_who_come_far_behind_others(store: Store) -> None:
    # From 10,000 accounts before them on SQL asks otherwise.
    others, many = (20, 20) if isinstance(store, DynamoStore) else (11_000, 1_200)
    people = [person(f"ann{number:05}", "A B") for number in range(others)]
    people += [person(f"zoe{number:05}", "A Z") for number in range(many)]
    await store.transfer.restore([AccountRecord(each, "", 1) for each in people])
    assert await found(store, "z", limit=3) == ["zoe00000", "zoe00001", "zoe00002"]
    assert await found(store, "z", after="ann00007", limit=1) == ["zoe00000"]
    last = [each.uid for each in people[-3:]]
    assert await found(store, "zoe", after=last[0]) == last[1:]
    assert len(await found(store, "z", limit=many + 1)) == many


async def test_recent_are_those_last_added_or_saved(store: Store) -> None:
    for uid in ("ann", "bob", "cid"):
        await store.accounts.create(person(uid), "", 1)
    await save_profile(store.accounts, person("ann", "again"), 1)
    assert [profile.uid for profile in await store.accounts.recent(2)] == ["ann", "cid"]


async def test_pages_hold_all_accounts_by_uid(store: Store) -> None:
    for uid in ("cid", "ann", "Bob"):
        await store.accounts.create(person(uid), "", 1)
    await save_profile(store.accounts, person("cid", disabled=True), 2)
    assert [profile.uid for profile in await store.accounts.page("", 2)] == ["Bob", "ann"]
    rest = await store.accounts.page("ann", 2)
    assert [(profile.uid, profile.disabled) for profile in rest] == [("cid", True)]


async def test_an_unusual_name_is_kept_as_it_is(store: Store) -> None:
    strange = msgspec.structs.replace(person("ann"), name="  \0\N{ZERO WIDTH JOINER}'\"; --  ")
    await store.accounts.create(strange, "", 1)
    assert await store.accounts.profile("ann") == strange

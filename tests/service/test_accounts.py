"""Accounts: registering, logging in and out, throttles, changing oneself and the password."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

import pytest

from tests.service.late import answers_late
from tests.service.world import ADDRESS, PASSWORD, World, code_of, login, noted, refused
from webchat.errors import Code, WebchatError
from webchat.model import Profile
from webchat.ports.accounts import Changed
from webchat.service.accounts import ProfileChange

DAY_S = 86_400
OTHER_ADDRESS = "198.51.100.4"


async def test_who_registers_is_logged_in_with_every_setting_at_its_default(world: World) -> None:
    issued = await world.accounts.register("ann", "  Ann Lee ", PASSWORD, ADDRESS)

    found = await world.accounts.authenticate(issued.token)
    me = await world.accounts.me("ann")
    assert found == issued.login
    assert (me.name, me.about, me.display_receipts) == ("Ann Lee", "", True)
    assert (me.who_may_add_me, me.disabled) == ("everybody", False)


@pytest.mark.parametrize("uid", [".", ".."])
async def test_what_no_address_can_name_is_not_registered(world: World, uid: str) -> None:
    assert await code_of(world.accounts.register(uid, "Ann", PASSWORD, ADDRESS)) is Code.BAD_REQUEST
    assert await code_of(world.administration.add(uid, "Ann", PASSWORD)) is Code.BAD_REQUEST


@pytest.mark.parametrize(
    "uid", ["", "a b", "group_x", "a" * 65, "ä", "a\n", "a/b", "dm:a", "a\x00"]
)
async def test_a_malformed_uid_is_refused(world: World, uid: str) -> None:
    assert await code_of(world.accounts.register(uid, "Ann", PASSWORD, ADDRESS)) is Code.BAD_REQUEST


@pytest.mark.parametrize("name", ["", "   ", "n" * 65, "a\nb", "a\x00b", "a\u202eb", "a\u2028b"])
async def test_a_name_that_is_empty_long_or_not_printable_is_refused(
    world: World, name: str
) -> None:
    call = world.accounts.register("ann", name, PASSWORD, ADDRESS)
    assert await code_of(call) is Code.BAD_REQUEST


@pytest.mark.parametrize(
    "name",
    ["\u200b", "\u2060 \u2060", "\u3164", "\ufeff", "\u00ad", "\U000e0041", "\ufe0f", "\u2800"],
    ids=ascii,
)
async def test_a_name_that_nobody_can_see_is_refused(world: World, name: str) -> None:
    call = world.accounts.register("ann", name, PASSWORD, ADDRESS)
    assert await code_of(call) is Code.BAD_REQUEST


@pytest.mark.parametrize("password", ["", "1234567", "p" * 257])
async def test_a_password_that_is_too_short_or_too_long_is_refused(
    world: World, password: str
) -> None:
    assert (
        await code_of(world.accounts.register("ann", "Ann", password, ADDRESS)) is Code.BAD_REQUEST
    )


@pytest.mark.parametrize(
    "name", ["n" * 64, "안녕하세요", "👩\u200d👩\u200d👧", "<b>&amp;", "-", "\U0001fae9"]
)
@pytest.mark.parametrize("password", ["12345678", "p" * 256, "пароль пароль", "        "])
async def test_any_other_name_and_password_are_taken_as_they_are(
    world: World, name: str, password: str
) -> None:
    await world.accounts.register("ann", name, password, ADDRESS)
    assert (await login(world, password=password)).login.uid == "ann"
    assert (await world.accounts.me("ann")).name == name


async def test_a_uid_that_differs_only_in_case_is_a_conflict(world: World) -> None:
    await world.user("ann")
    assert await code_of(world.accounts.register("ANN", "Ann", PASSWORD, ADDRESS)) is Code.CONFLICT


async def test_a_refused_registration_logs_nobody_in(world: World) -> None:
    await world.user("ann")
    await refused(world.accounts.register("Ann", "Ann", PASSWORD, ADDRESS))
    assert len(await world.accounts.logins("ann")) == 1
    assert not await world.accounts.logins("Ann")


async def test_unknown_uid_wrong_password_and_disabled_account_are_told_the_same(
    world: World,
) -> None:
    await world.user("ann")
    await world.user("ben")
    await world.administration.disable("ben")
    told = {
        refusal.message
        for refusal in [
            await refused(login(world, "nobody")),
            await refused(login(world, "ann", "wrong password")),
            await refused(login(world, "ann", "p" * 10_000)),
            await refused(login(world, "ben")),
        ]
        if refusal.code is Code.UNAUTHENTICATED
    }
    assert len(told) == 1


async def test_the_same_password_typed_as_composed_or_combining_characters_is_right(
    world: World,
) -> None:
    await world.accounts.register("ann", "Ann", "café au lait", ADDRESS)
    assert await login(world, password="cafe\u0301 au lait")


async def test_a_token_is_good_for_thirty_days_after_its_last_use(world: World) -> None:
    token = await world.user("ann")
    for _ in range(3):
        world.clock.advance(29 * DAY_S)
        assert await world.accounts.authenticate(token)
        await noted(world)
    world.clock.advance(30 * DAY_S)
    assert await world.accounts.authenticate(token) is None
    assert not await world.accounts.logins("ann")


async def test_a_token_that_is_used_at_the_last_moment_lives_on(world: World) -> None:
    token = await world.user("ann")
    world.clock.advance(30 * DAY_S - 1)
    assert await world.accounts.authenticate(token)
    world.clock.advance(1)
    assert await world.accounts.authenticate(token)


async def test_a_use_that_the_store_did_not_take_is_noted_with_the_next(world: World) -> None:
    token = await world.user("ann")
    world.clock.advance(60)
    await world.accounts.authenticate(token)
    world.store.is_down = True
    await noted(world)
    world.store.is_down = False
    later = await world.accounts.authenticate(token)
    await noted(world)
    assert await world.store.logins.of_user("ann") == [later]


async def test_a_tokens_use_is_noted_once_a_minute_at_most(world: World) -> None:
    token = await world.user("ann")
    first = await world.accounts.authenticate(token)
    world.clock.advance(59)
    assert await world.accounts.authenticate(token) == first
    world.clock.advance(1)
    later = await world.accounts.authenticate(token)
    assert later is not None
    assert first is not None
    assert later.last_used_at == first.last_used_at + 60_000
    assert await world.accounts.logins("ann") == [later]


@pytest.mark.parametrize("token", ["", "x", "x" * 43, "ü" * 40, "\ud800", "x" * 1_000_000])
async def test_a_token_that_was_never_given_is_nobodys(world: World, token: str) -> None:
    await world.user("ann")
    assert await world.accounts.authenticate(token) is None


async def test_the_store_is_never_told_a_token(world: World) -> None:
    token = await world.user("ann")
    assert await world.store.logins.find(token.encode()) is None


async def test_logging_out_ends_that_login_alone(world: World) -> None:
    first, second = await world.user("ann"), (await login(world)).token
    own = await world.accounts.authenticate(first)
    assert own is not None
    await world.accounts.logout(own)
    assert await world.accounts.authenticate(first) is None
    assert await world.accounts.authenticate(second)


async def test_one_of_the_own_logins_can_be_revoked_and_nobody_elses(world: World) -> None:
    ann, ben = await world.user("ann"), await world.user("ben")
    (own,) = await world.accounts.logins("ann")
    assert await code_of(world.accounts.revoke("ben", own.id)) is Code.NOT_FOUND
    assert await world.accounts.authenticate(ann)
    await world.accounts.revoke("ann", own.id)
    assert await code_of(world.accounts.revoke("ann", own.id)) is Code.NOT_FOUND
    assert await world.accounts.authenticate(ann) is None
    assert await world.accounts.authenticate(ben)


async def test_a_new_password_ends_the_other_logins(world: World) -> None:
    await world.user("ann")
    here, there = await login(world), await login(world)
    await world.accounts.change_password(here.login, PASSWORD, "another password", ADDRESS)
    assert await world.accounts.authenticate(here.token)
    assert await world.accounts.authenticate(there.token) is None
    assert await code_of(login(world)) is Code.UNAUTHENTICATED
    assert await login(world, password="another password")


async def test_the_old_password_is_asked_for_and_a_wrong_one_changes_nothing(
    world: World,
) -> None:
    await world.user("ann")
    here = await login(world)
    change = world.accounts.change_password(here.login, "wrong password", "another one", ADDRESS)
    assert await code_of(change) is Code.FORBIDDEN
    short = world.accounts.change_password(here.login, PASSWORD, "short", ADDRESS)
    assert await code_of(short) is Code.BAD_REQUEST
    assert await login(world)


async def test_a_new_password_that_was_set_without_an_answer_ends_the_other_logins_when_sent_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.user("ann")
    here, there = await login(world), await login(world)
    save_password = world.store.accounts.save_password

    async def save_unanswered(*args: Any, **options: Any) -> bool:
        await save_password(*args, **options)
        raise WebchatError(Code.UNAVAILABLE, "the store did not answer")

    def change() -> Awaitable[None]:
        return world.accounts.change_password(here.login, PASSWORD, "another password", ADDRESS)

    monkeypatch.setattr(world.store.accounts, "save_password", save_unanswered)
    assert await code_of(change()) is Code.UNAVAILABLE
    assert await world.accounts.authenticate(there.token)
    monkeypatch.undo()
    await change()
    assert await world.accounts.authenticate(here.token)
    assert await world.accounts.authenticate(there.token) is None


async def test_a_change_of_oneself_is_seen_from_its_answer_on_and_by_a_fresh_process(
    world: World,
) -> None:
    await world.user("ann")
    change = ProfileChange(about="line one\nline two", display_receipts=False)
    before, changed = _both(await world.accounts.change("ann", change))
    assert (before.name, before.about, before.display_receipts) == ("Ann", "", True)
    assert (changed.name, changed.about, changed.display_receipts) == (
        "Ann", "line one\nline two", False,
    )  # fmt: skip
    assert world.profiles.peek("ann") == changed
    assert await world.store.accounts.profile("ann") == changed


@pytest.mark.parametrize(
    "change",
    [
        ProfileChange(name=""),
        ProfileChange(name="a\tb"),
        ProfileChange(about="x" * 501),
        ProfileChange(about="a\x07"),
        ProfileChange(who_may_add_me="nobody"),
    ],
)
async def test_a_change_with_one_bad_field_changes_nothing(
    world: World, change: ProfileChange
) -> None:
    await world.user("ann")
    before = await world.accounts.me("ann")
    assert await code_of(world.accounts.change("ann", change)) is Code.BAD_REQUEST
    assert await world.accounts.me("ann") == before


async def test_of_two_changes_at_once_neither_undoes_the_other(world: World) -> None:
    await world.user("ann")
    answers_late(world.store.accounts)
    about, private = ProfileChange(about="here"), ProfileChange(display_receipts=False)
    await asyncio.gather(*[world.accounts.change("ann", each) for each in (about, private)])
    kept = await world.accounts.me("ann")
    assert (kept.name, kept.about, kept.display_receipts) == ("Ann", "here", False)
    assert await world.store.accounts.profile("ann") == kept


async def test_of_two_new_passwords_at_once_the_second_needs_the_first(world: World) -> None:
    await world.user("ann")
    here, there = await login(world), await login(world)
    answers_late(world.store.accounts)
    _, refusal = await asyncio.gather(
        world.accounts.change_password(here.login, PASSWORD, "password of here", ADDRESS),
        code_of(world.accounts.change_password(there.login, PASSWORD, "of another one", ADDRESS)),
    )
    assert refusal is Code.FORBIDDEN
    assert await world.accounts.authenticate(here.token)
    assert await login(world, password="password of here")


async def test_people_are_found_by_uid_and_words_of_their_name_but_not_when_disabled(
    world: World,
) -> None:
    await world.user("ann", "Ann Lee")
    await world.user("lee7", "Bo")
    await world.user("cat", "Lee Cat")
    await world.administration.disable("cat")
    found = await world.accounts.search(" LE ", "", 2)
    assert ([profile.uid for profile in found.items], found.next) == (["ann", "lee7"], None)
    first = await world.accounts.search("le", "", 1)
    assert ([profile.uid for profile in first.items], first.next) == (["ann"], "ann")
    rest = await world.accounts.search("le", "ann", 1)
    assert ([profile.uid for profile in rest.items], rest.next) == (["lee7"], None)
    assert await code_of(world.accounts.user("cat")) is Code.UNKNOWN_USER
    assert await code_of(world.accounts.search("x" * 65, "", 50)) is Code.BAD_REQUEST


@pytest.mark.parametrize("text", ["x" * 5_000, "a\x00b", "..\n", ""])
async def test_the_store_is_not_asked_for_what_can_be_no_id(world: World, text: str) -> None:
    await world.user("ann")
    world.store.is_down = True
    assert await code_of(world.accounts.revoke("ann", text)) is Code.NOT_FOUND
    for conv in (text, f"group_{text}"):
        assert await code_of(world.directory.join("ann", conv)) is Code.NOT_FOUND
        assert await code_of(world.links.of_group("ann", conv)) is Code.NOT_A_MEMBER
    assert await code_of(world.invitations.decline("ann", text)) is Code.NOT_FOUND


@pytest.mark.parametrize("uid", ["x" * 3_000, "a\x00b", ""])
async def test_who_logs_in_as_what_can_be_no_user_is_told_so_without_the_store(
    world: World, monkeypatch: pytest.MonkeyPatch, uid: str
) -> None:
    async def password_hash(_: str) -> str:
        raise AssertionError("the store was asked")

    monkeypatch.setattr(world.store.accounts, "password_hash", password_hash)
    assert await code_of(login(world, uid)) is Code.UNAUTHENTICATED


async def test_a_store_that_is_down_is_unavailable_and_locks_nobody_out(world: World) -> None:
    token = await world.user("ann")
    world.store.is_down = True
    assert await code_of(world.accounts.authenticate(token)) is Code.UNAVAILABLE
    for _ in range(20):
        assert await code_of(login(world)) is Code.UNAVAILABLE
    world.store.is_down = False
    assert await login(world)


def _both(changed: Changed) -> tuple[Profile, Profile]:
    return changed.before, changed.after

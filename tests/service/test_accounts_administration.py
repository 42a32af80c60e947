"""What the operator of a server does to accounts, while their owners use them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest
from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import VerifyMismatchError

from tests.service.world import ADDRESS, PASSWORD, World, code_of
from webchat.errors import Code
from webchat.model import Login
from webchat.service.accounts import ProfileChange
from webchat.service.passwords import Passwords

NEW_PASSWORD = "another password"


class PausedPasswords(Passwords):
    """Runs an act of the test's between the check of a password and its answer."""

    def __init__(self, passwords: Passwords) -> None:
        self._passwords = passwords
        self.unusable = passwords.unusable
        self.meanwhile: Callable[[], Awaitable[None]] | None = None

    async def hash(self, password: str, asker: str = "") -> str:
        return await self._passwords.hash(password, asker)

    async def verify(self, password_hash: str | None, password: str, asker: str = "") -> bool:
        right = await self._passwords.verify(password_hash, password, asker)
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            await meanwhile()
        return right

    def is_outdated(self, password_hash: str) -> bool:
        return self._passwords.is_outdated(password_hash)

    def close(self) -> None:
        self._passwords.close()


async def test_an_account_that_was_added_can_log_in(world: World) -> None:
    await world.administration.add("ann", "Ann", PASSWORD)
    assert await world.accounts.login("ann", PASSWORD, ADDRESS)
    assert await code_of(world.administration.add("Ann", "Ann", PASSWORD)) is Code.CONFLICT
    assert await code_of(world.administration.add("a b", "Ann", PASSWORD)) is Code.BAD_REQUEST
    assert await code_of(world.administration.add("bo", "Bo", "short")) is Code.BAD_REQUEST


async def test_a_new_password_ends_every_login(world: World) -> None:
    token = await world.user("ann")
    await world.administration.passwd("ann", NEW_PASSWORD)
    assert await world.accounts.authenticate(token) is None
    assert await world.accounts.login("ann", NEW_PASSWORD, ADDRESS)
    assert await code_of(world.accounts.login("ann", PASSWORD, ADDRESS)) is Code.UNAUTHENTICATED


async def test_a_disabled_account_has_no_login_and_gets_none(world: World) -> None:
    token = await world.user("ann")
    await world.administration.disable("ann")
    assert await world.accounts.authenticate(token) is None
    assert await code_of(world.accounts.login("ann", PASSWORD, ADDRESS)) is Code.UNAUTHENTICATED
    assert await code_of(world.administration.passwd("ann", NEW_PASSWORD)) is Code.FORBIDDEN


async def test_an_account_that_is_enabled_again_has_its_password_and_no_login(
    world: World,
) -> None:
    token = await world.user("ann")
    for _ in range(2):  # As where it was interrupted.
        await world.administration.disable("ann")
    await world.administration.enable("ann")
    assert await world.accounts.authenticate(token) is None
    token = (await world.accounts.login("ann", PASSWORD, ADDRESS)).token
    assert [found.uid for found in (await world.accounts.search("ann", "", 9)).items] == ["ann"]
    await world.administration.enable("ann")
    assert await world.accounts.authenticate(token)


async def test_what_its_owner_changes_meanwhile_does_not_open_a_disabled_account_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.user("ann")
    change_profile = world.store.accounts.change_profile

    async def change_late(*args: Any) -> Any:
        monkeypatch.undo()
        await world.administration.disable("ann")
        return await change_profile(*args)

    monkeypatch.setattr(world.store.accounts, "change_profile", change_late)
    await world.accounts.change("ann", ProfileChange(name="Anna"))
    (profile,) = [each async for each in world.administration.list()]
    assert (profile.name, profile.disabled) == ("Anna", True)


async def test_an_account_is_disabled_without_undoing_what_its_owner_changes_meanwhile(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.user("ann")
    save_password = world.store.accounts.save_password

    async def save_late(*args: Any, **options: Any) -> bool:
        await world.accounts.change("ann", ProfileChange(about="changed"))
        return await save_password(*args, **options)

    monkeypatch.setattr(world.store.accounts, "save_password", save_late)
    await world.administration.disable("ann")
    monkeypatch.undo()
    profile = await world.store.accounts.profile("ann")
    assert profile is not None
    assert (profile.about, profile.disabled) == ("changed", True)


async def test_servers_look_again_at_an_account_that_is_enabled(world: World) -> None:
    await world.user("ann")
    await world.administration.disable("ann")
    seen, _ = await world.store.logins.revocations(None)
    await world.administration.enable("ann")
    _, told = await world.store.logins.revocations(seen)
    assert [each.uid for each in told] == ["ann"]


async def test_a_disabled_account_takes_as_long_to_refuse_as_any(world: World) -> None:
    await world.user("ann")
    before = await world.store.accounts.password_hash("ann")
    await world.administration.disable("ann")
    locked = await world.store.accounts.password_hash("ann")
    assert before and locked  # noqa: PT018
    assert extract_parameters(locked).memory_cost == extract_parameters(before).memory_cost
    with pytest.raises(VerifyMismatchError):  # Not InvalidHashError, which comes at once.
        PasswordHasher().verify(locked, PASSWORD)


async def test_a_change_under_way_elsewhere_does_not_open_a_disabled_account_again(
    world: World,
) -> None:
    await world.user("ann")
    as_it_was = await world.accounts.me("ann")
    await world.administration.disable("ann")
    await world.save(msgspec.structs.replace(as_it_was, name="Anna"))
    assert await code_of(world.accounts.login("ann", PASSWORD, ADDRESS)) is Code.UNAUTHENTICATED
    await world.administration.enable("ann")
    assert await world.accounts.login("ann", PASSWORD, ADDRESS)


async def test_a_login_that_was_being_checked_while_the_account_was_disabled_is_none() -> None:
    passwords = PausedPasswords(World().passwords)
    world = World(passwords=passwords)
    await world.user("ann")
    passwords.meanwhile = lambda: world.administration.disable("ann")
    assert await code_of(world.accounts.login("ann", PASSWORD, ADDRESS)) is Code.UNAUTHENTICATED
    assert not await world.accounts.logins("ann")
    world.close()


async def test_a_login_that_was_being_checked_while_the_password_changed_is_none() -> None:
    passwords = PausedPasswords(World().passwords)
    world = World(passwords=passwords)
    await world.user("ann")
    passwords.meanwhile = lambda: world.administration.passwd("ann", NEW_PASSWORD)
    assert await code_of(world.accounts.login("ann", PASSWORD, ADDRESS)) is Code.UNAUTHENTICATED
    assert not await world.accounts.logins("ann")
    world.close()


async def test_a_password_that_the_operator_sets_at_the_last_moment_stays(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.user("ann")
    (login,) = await world.accounts.logins("ann")
    save_password = world.store.accounts.save_password

    async def save_late(*args: Any, **options: Any) -> bool:
        monkeypatch.undo()
        await world.administration.passwd("ann", NEW_PASSWORD)
        return await save_password(*args, **options)

    monkeypatch.setattr(world.store.accounts, "save_password", save_late)
    change = world.accounts.change_password(login, PASSWORD, "the thief's password", ADDRESS)
    assert await code_of(change) is Code.FORBIDDEN
    assert await world.accounts.login("ann", NEW_PASSWORD, ADDRESS)


async def test_a_change_of_a_password_does_not_undo_what_the_operator_set_meanwhile() -> None:
    passwords = PausedPasswords(World().passwords)
    world = World(passwords=passwords)
    await world.user("ann")
    (login,) = await world.accounts.logins("ann")
    passwords.meanwhile = lambda: world.administration.passwd("ann", NEW_PASSWORD)
    change = world.accounts.change_password(login, PASSWORD, "a third password", ADDRESS)
    assert await code_of(change) is Code.FORBIDDEN
    assert await world.accounts.login("ann", NEW_PASSWORD, ADDRESS)
    world.close()


async def test_an_account_that_is_disabled_while_it_is_made_gets_no_login(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    add = world.store.logins.add

    async def add_late(token_hash: bytes, login: Login) -> None:
        await world.administration.disable("ann")
        await add(token_hash, login)

    monkeypatch.setattr(world.store.logins, "add", add_late)
    register = world.accounts.register("ann", "Ann", PASSWORD, ADDRESS)
    assert await code_of(register) is Code.UNAUTHENTICATED
    assert not await world.accounts.logins("ann")


async def test_acts_on_an_account_that_is_not_there_say_so(world: World) -> None:
    assert await code_of(world.administration.disable("ann")) is Code.UNKNOWN_USER
    assert await code_of(world.administration.enable("ann")) is Code.UNKNOWN_USER
    assert await code_of(world.administration.passwd("ann", PASSWORD)) is Code.UNKNOWN_USER
    assert await code_of(world.administration.passwd("a" * 65, PASSWORD)) is Code.UNKNOWN_USER


async def test_the_list_has_every_account_disabled_ones_too(world: World) -> None:
    uids = [f"uid{number:03}" for number in range(450)]
    for uid in reversed(uids):
        await world.profile_of(uid)
    await world.administration.disable("uid007")
    listed = [profile async for profile in world.administration.list()]
    assert [profile.uid for profile in listed] == uids
    assert [profile.uid for profile in listed if profile.disabled] == ["uid007"]

"""Hashing of passwords: what is stored, how many at once, and that time tells nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from argon2 import Type, extract_parameters

from tests.service.late import answers_late
from tests.service.world import ADDRESS, CHEAP, PASSWORD, World, code_of
from webchat.errors import Code, WebchatError
from webchat.service.passwords import Passwords, PasswordSettings


@pytest.fixture
def passwords() -> Iterator[Passwords]:
    made = Passwords(CHEAP)
    yield made
    made.close()


async def test_a_hash_is_argon2id_with_the_parameters_asked_for() -> None:
    passwords = Passwords(PasswordSettings(argon2_memory_kib=64, argon2_passes=3, argon2_lanes=2))
    parameters = extract_parameters(await passwords.hash("password"))
    assert parameters.type is Type.ID
    assert (parameters.memory_cost, parameters.time_cost, parameters.parallelism) == (64, 3, 2)
    passwords.close()


async def test_the_same_password_has_another_hash_each_time(passwords: Passwords) -> None:
    assert await passwords.hash("password") != await passwords.hash("password")


async def test_a_password_matches_its_own_hash_alone(passwords: Passwords) -> None:
    hashed = await passwords.hash("password")
    assert await passwords.verify(hashed, "password")
    assert not await passwords.verify(hashed, "Password")
    assert not await passwords.verify("no hash at all", "password")
    assert not await passwords.verify("", "")


async def test_an_unknown_user_takes_the_same_work_as_a_known_one(passwords: Passwords) -> None:
    unusable = extract_parameters(passwords.unusable)
    assert unusable == extract_parameters(await passwords.hash("password"))
    assert not await passwords.verify(None, "password")


async def test_beyond_the_queue_a_call_is_refused_at_once_and_later_ones_are_served() -> None:
    passwords = Passwords(PasswordSettings(argon2_memory_kib=8, threads=1, queue=2))
    taken = [asyncio.ensure_future(passwords.hash("password")) for _ in range(3)]
    await asyncio.sleep(0)
    assert await code_of(passwords.hash("password")) is Code.UNAVAILABLE
    assert len(set(await asyncio.gather(*taken))) == 3
    assert await passwords.hash("password")
    passwords.close()


async def test_the_loop_goes_on_while_a_password_is_hashed() -> None:
    passwords = Passwords(PasswordSettings(argon2_memory_kib=32_768, threads=1))
    hashing = asyncio.ensure_future(passwords.hash("password"))
    turns = 0
    while not hashing.done():
        turns += 1
        await asyncio.sleep(0)
    assert turns > 10
    passwords.close()


async def test_a_hash_of_other_settings_is_renewed_at_a_right_login() -> None:
    world = await _with_an_old_hash()
    assert await code_of(world.accounts.login("ann", "wrong", ADDRESS)) is Code.UNAUTHENTICATED
    assert await _cost(world) == (8, 2)
    assert await world.accounts.login("ann", PASSWORD, ADDRESS)
    assert await _cost(world) == (CHEAP.argon2_memory_kib, CHEAP.argon2_passes)
    renewed = await world.store.accounts.password_hash("ann")
    assert await world.accounts.login("ann", PASSWORD, ADDRESS)
    assert await world.store.accounts.password_hash("ann") == renewed
    world.close()


async def test_logins_at_once_that_renew_a_hash_are_all_taken() -> None:
    world = await _with_an_old_hash()
    answers_late(world.store.accounts, world.store.logins)
    logins = [world.accounts.login("ann", PASSWORD, ADDRESS) for _ in range(3)]
    issued = await asyncio.gather(*logins)
    assert len({each.login.id for each in issued}) == 3
    assert await _cost(world) == (CHEAP.argon2_memory_kib, CHEAP.argon2_passes)
    world.close()


async def test_a_hash_is_not_renewed_over_a_password_that_was_set_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = await _with_an_old_hash()
    save_password = world.store.accounts.save_password

    async def save_late(*args: Any, **options: Any) -> bool:
        monkeypatch.undo()
        await world.administration.passwd("ann", "another password")
        return await save_password(*args, **options)

    monkeypatch.setattr(world.store.accounts, "save_password", save_late)
    assert await code_of(world.accounts.login("ann", PASSWORD, ADDRESS)) is Code.UNAUTHENTICATED
    assert await world.accounts.login("ann", "another password", ADDRESS)
    assert len(await world.accounts.logins("ann")) == 1
    world.close()


async def test_a_login_does_not_fail_where_its_hash_cannot_be_renewed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = await _with_an_old_hash()

    async def save_password(*_: Any, **__: Any) -> bool:
        raise WebchatError(Code.UNAVAILABLE, "the store is not answering")

    monkeypatch.setattr(world.store.accounts, "save_password", save_password)
    assert await world.accounts.login("ann", PASSWORD, ADDRESS)
    world.close()


async def _with_an_old_hash() -> World:
    """A world in which ann's password was hashed with other settings."""
    world, before = World(), Passwords(PasswordSettings(argon2_memory_kib=8, argon2_passes=2))
    await world.user("ann")
    await world.store.accounts.save_password("ann", await before.hash(PASSWORD))
    before.close()
    return world


async def _cost(world: World) -> tuple[int, int]:
    parameters = extract_parameters(await world.store.accounts.password_hash("ann") or "")
    return parameters.memory_cost, parameters.time_cost

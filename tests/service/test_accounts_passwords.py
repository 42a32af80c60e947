"""Hashing of passwords: what is stored, how many at once, and that time tells nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from argon2 import Type, extract_parameters

from tests.service.world import CHEAP, code_of
from webchat.errors import Code
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

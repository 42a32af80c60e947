"""How often passwords are tried, accounts made, and how many logins an account has."""

from __future__ import annotations

from tests.service.world import ADDRESS, PASSWORD, World, code_of, login, noted, refused
from webchat.errors import Code, WebchatError
from webchat.service.accounts import AccountSettings
from webchat.service.tokens import Tokens, TokenSettings

OTHER_ADDRESS = "198.51.100.4"


async def guess(world: World, times: int, address: str) -> None:
    """Try wrong passwords with ann's account. Raises what refuses to look at one."""
    for _ in range(times):
        try:
            await world.accounts.login("ann", "wrong password", address)
        except WebchatError as error:
            if error.code is not Code.UNAUTHENTICATED:
                raise


async def test_who_guesses_is_locked_out_of_the_account_and_let_in_again_in_time(
    world: World,
) -> None:
    await world.user("ann")
    await guess(world, 10, OTHER_ADDRESS)
    refusal = await refused(world.accounts.login("ANN", PASSWORD, OTHER_ADDRESS))
    assert (refusal.code, refusal.retry_after_ms) == (Code.RATE_LIMITED, 6_000)
    world.clock.advance(6)
    assert await world.accounts.login("ann", PASSWORD, OTHER_ADDRESS)


async def test_who_guesses_from_one_address_does_not_keep_the_owner_out(world: World) -> None:
    await world.user("ann")
    here = await login(world)
    for _ in range(20):
        await guess(world, 10, OTHER_ADDRESS)
        assert await code_of(guess(world, 1, OTHER_ADDRESS)) is Code.RATE_LIMITED
        world.clock.advance(60)
    await guess(world, 10, OTHER_ADDRESS)
    assert await login(world)
    await world.accounts.change_password(here.login, PASSWORD, "another password", ADDRESS)


async def test_guesses_at_an_account_from_everywhere_are_bounded_together(world: World) -> None:
    await world.user("ann")
    for number in range(30):
        await guess(world, 10, f"198.51.100.{number}")
    refusal = await refused(login(world))
    assert (refusal.code, refusal.retry_after_ms) == (Code.RATE_LIMITED, 200)
    world.clock.advance(0.2)
    assert await login(world)


async def test_all_networks_of_an_ipv6_site_guess_as_one(world: World) -> None:
    await world.user("ann")
    for number in range(10):
        await guess(world, 1, f"2001:db8:0:{number}::1")
    assert await code_of(guess(world, 1, "2001:db8:0:ffff::1")) is Code.RATE_LIMITED
    await guess(world, 1, "2001:db8:1::1")


async def test_an_address_that_guesses_many_accounts_is_locked_out_alone(world: World) -> None:
    await world.user("ann")
    for guess in range(60):
        attempt = world.accounts.login(f"uid{guess}", "wrong password", OTHER_ADDRESS)
        assert await code_of(attempt) is Code.UNAUTHENTICATED
    attempt = world.accounts.login("ann", PASSWORD, OTHER_ADDRESS)
    assert await code_of(attempt) is Code.RATE_LIMITED
    assert await login(world)


async def test_all_addresses_of_an_ipv6_subscriber_count_as_one() -> None:
    world = World(settings=AccountSettings(registrations_burst=1))
    await world.accounts.register("ann", "Ann", PASSWORD, "2001:db8:0:1::1")
    neighbour = world.accounts.register("ben", "Ben", PASSWORD, "2001:db8:0:1:ffff::2")
    assert await code_of(neighbour) is Code.RATE_LIMITED
    assert await world.accounts.register("cat", "Cat", PASSWORD, "2001:db8:0:2::1")
    world.close()


async def test_each_password_that_a_change_tries_counts_as_a_guess(world: World) -> None:
    await world.user("ann")
    here = await login(world)
    for guess in range(5):
        change = world.accounts.change_password(
            here.login, f"old guess {guess}", f"new guess {guess}", ADDRESS
        )
        assert await code_of(change) is Code.FORBIDDEN
    assert await code_of(login(world)) is Code.RATE_LIMITED


async def test_logins_that_succeed_do_not_count_as_guesses(world: World) -> None:
    await world.user("ann")
    for _ in range(70):
        await login(world)


async def test_a_right_password_can_be_used_ten_times_as_often_as_guessed() -> None:
    world = World(settings=AccountSettings(login_burst=1, login_attempts_per_min=1))
    await world.user("ann")
    for _ in range(10):
        await login(world)
    refusal = await refused(login(world))
    assert refusal.code is Code.RATE_LIMITED
    assert refusal.retry_after_ms == 6_000
    world.clock.advance(6)
    assert await login(world)
    world.close()


async def test_attempts_that_the_accounts_limit_refuses_do_not_count_against_their_address(
    world: World,
) -> None:
    await world.user("ann")
    await world.user("ben")
    for _ in range(70):
        await refused(world.accounts.login("ann", "wrong password", OTHER_ADDRESS))
    assert await world.accounts.login("ben", PASSWORD, OTHER_ADDRESS)


async def test_of_too_many_logins_those_end_that_were_not_used_again() -> None:
    world = World()
    world.tokens = Tokens(world.store.logins, world.clock, TokenSettings(logins_per_user=3))
    tokens = []
    for _ in range(3):
        world.clock.advance(120)
        tokens.append((await world.tokens.issue("ann")).token)
    world.clock.advance(120)
    assert await world.tokens.check(tokens[0])
    await noted(world)
    for _ in range(3):
        world.clock.advance(120)
        tokens.append((await world.tokens.issue("ann")).token)
    alive = [await world.tokens.check(token) is not None for token in tokens]
    assert alive == [True, False, False, False, True, True]
    newest, _ = await world.store.logins.revocations(None)
    assert newest == 3  # sockets of those that ended are closed
    world.close()


async def test_registrations_of_an_address_are_limited() -> None:
    world = World(settings=AccountSettings(registrations_per_min=60, registrations_burst=2))
    await world.user("ann")
    await world.user("ben")
    refusal = await refused(world.accounts.register("cat", "Cat", PASSWORD, ADDRESS))
    assert (refusal.code, refusal.retry_after_ms) == (Code.RATE_LIMITED, 1_000)
    assert await world.accounts.register("dan", "Dan", PASSWORD, OTHER_ADDRESS)
    world.clock.advance(1)
    assert await world.accounts.register("cat", "Cat", PASSWORD, ADDRESS)
    world.close()

"""Whose a connection is: logins that end close their connections, and no others."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from tests.chat.world import Person, World
from webchat.chat.assembly import Settings
from webchat.errors import Closing
from webchat.model import Login
from webchat.session.handler import ConnectRefused, Request

DAY_S = 24 * 3600


@pytest.fixture
async def home(world: World) -> World:
    """A world in which anna is logged in twice."""
    await world.pass_time(1)
    for name in ("phone", "laptop"):
        await log_in(world, name)
    return world


async def log_in(world: World, name: str, lives_s: int | None = None) -> None:
    expires_at = 2**53 if lives_s is None else world.clock.now_ms() + lives_s * 1000
    login = Login(name, "anna", 0, 0, expires_at)
    await world.store.logins.add(name.encode(), login)


async def connected(world: World, login: str) -> Person:
    person = await world.person("anna")
    client = person.socket.state
    world.chat.handler.disconnected(person.socket)
    client.login_id = login
    world.chat.handler.connected(person.socket)
    return person


async def pass_days(world: World, days: int, steps: int = 1) -> None:
    """So many steps a day."""
    for _ in range(days * steps):
        await world.pass_time(DAY_S / steps)


async def stored(world: World) -> dict[str, Login]:
    return {login.id: login for login in await world.store.logins.of_user("anna")}


async def test_a_revoked_login_closes_its_connections_within_a_second(home: World) -> None:
    phone, laptop = await connected(home, "phone"), await connected(home, "laptop")
    await home.store.logins.revoke("anna", "phone")
    await home.pass_time(0.9)
    assert phone.socket.why is Closing.SESSION_REVOKED
    assert not laptop.socket.closed


async def test_all_logins_but_one_end_and_later_ones_last(home: World) -> None:
    phone, laptop = await connected(home, "phone"), await connected(home, "laptop")
    await home.store.logins.revoke_all("anna", except_login="phone")
    await log_in(home, "tablet")
    tablet = await connected(home, "tablet")
    await home.pass_time(0.9)
    assert laptop.socket.why is Closing.SESSION_REVOKED
    assert not phone.socket.closed
    assert not tablet.socket.closed
    again = await connected(home, "tablet")
    await home.pass_time(0.9)
    assert not again.socket.closed


async def test_a_login_that_ends_while_its_connection_comes_in_closes_it(home: World) -> None:
    await home.store.logins.revoke("anna", "phone")
    await home.pass_time(0.9)
    phone = await connected(home, "phone")
    await home.pass_time(0.1)
    assert phone.socket.why is Closing.SESSION_REVOKED


async def test_a_connection_counts_as_a_use_of_its_login(home: World) -> None:
    await log_in(home, "tablet", lives_s=30 * DAY_S)
    tablet = await connected(home, "tablet")
    await pass_days(home, 100)
    assert not tablet.socket.closed
    assert (await stored(home))["tablet"].expires_at > home.clock.now_ms() + 25 * DAY_S * 1000


async def test_a_login_with_a_short_life_is_used_by_its_connection_in_time() -> None:
    world = World(Settings(login_days=1))
    await world.register("anna")
    await log_in(world, "phone", lives_s=DAY_S)
    phone = await connected(world, "phone")
    await pass_days(world, 3, steps=20)
    assert not phone.socket.closed
    assert "phone" in await stored(world)


async def test_a_connection_has_its_login_written_once_a_day_at_most(
    home: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[str] = []
    touch = home.store.logins.touch

    async def counted(used: Sequence[Login]) -> None:
        written.extend(login.id for login in used)
        await touch(used)

    monkeypatch.setattr(home.store.logins, "touch", counted)
    for name in ("phone", "phone", "laptop"):
        await connected(home, name)
    await pass_days(home, 10, steps=50)
    assert {name: written.count(name) <= 10 for name in written} == {"phone": True, "laptop": True}


async def test_a_login_that_expired_closes_its_connections_and_stays_expired(home: World) -> None:
    await log_in(home, "tablet", lives_s=3_600)
    tablet, phone = await connected(home, "tablet"), await connected(home, "phone")
    await pass_days(home, 2)
    assert tablet.socket.why is Closing.SESSION_REVOKED
    assert not phone.socket.closed
    assert (await stored(home))["tablet"].last_used_at == 0


async def test_a_token_nobody_has_is_refused_with_its_code(world: World) -> None:
    with pytest.raises(ConnectRefused) as refused:
        await world.person("stranger")
    assert refused.value.data == {"code": "unauthenticated"}


async def test_one_user_has_so_many_connections_and_no_more_until_one_of_them_ends() -> None:
    world = World(Settings(connections_per_user=2))
    await world.register("anna", "ben")
    phone, laptop = await world.joined("anna"), await world.joined("anna")
    for _ in range(2):
        with pytest.raises(ConnectRefused) as refused:
            await world.person("anna")
        assert refused.value.data == {"code": "rate_limited", "retry_after_ms": 10_000}
    assert not phone.socket.closed
    assert (await laptop.send("ben", "still here"))["ok"]
    await world.person("ben")
    phone.leave()
    await world.person("anna")


async def test_who_asks_for_many_connections_at_once_gets_no_more_than_there_may_be() -> None:
    world = World(Settings(connections_per_user=2))
    await world.register("anna")
    came = await asyncio.gather(*(world.person("anna") for _ in range(5)), return_exceptions=True)
    assert [isinstance(each, ConnectRefused) for each in came].count(True) == 3


async def test_in_open_mode_connections_of_one_name_are_not_counted() -> None:
    world = World(Settings(open_mode=True, connections_per_user=1))
    for _ in range(3):
        await world.joined("anna")


async def test_a_store_that_is_down_is_said_so_and_not_a_bad_login(world: World) -> None:
    world.store.is_down = True
    with pytest.raises(ConnectRefused) as refused:
        await world.person("anna")
    assert refused.value.data["code"] == "unavailable"


@pytest.mark.parametrize(
    "header",
    [
        "webchat_session=anna",
        'a={"x":1}; webchat_session=anna',
        "flag; webchat_session=anna; flag",
        "a b=1;webchat_session=anna",
        "path=/x; expires=3; a@b=1; n=\xe9; webchat_session = anna ; version=2",
        "webchat_session=old; webchat_session=anna",
    ],
)
async def test_a_cookie_is_found_among_any_others(world: World, header: str) -> None:
    person = Person(world, "anna")
    person.socket.request = Request({"cookie": header}, {}, "127.0.0.1", 4, websocket=True)
    await world.chat.handler.connect(person.socket, None)
    assert person.socket.state.uid == "anna"


async def test_in_open_mode_a_cookie_names_nobody(open_world: World) -> None:
    person = Person(open_world, "anna")
    headers = {"cookie": "webchat_session=left-by-another-server"}
    person.socket.request = Request(headers, {}, "127.0.0.1", 4, websocket=True)
    await open_world.chat.handler.connect(person.socket, None)
    assert (await person.ask("join", "anna"))["ok"]

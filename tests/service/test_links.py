"""Invite links: who makes them, what ends them, who comes in by them."""

from __future__ import annotations

import asyncio

import pytest

from tests.service.late import answers_late
from tests.service.world import World, code_of
from webchat.errors import Code, WebchatError
from webchat.model import ConvID, Group
from webchat.ports.log import Appended
from webchat.service.appending import Decide
from webchat.service.links import Made

GROUP = "group_team"
HOUR_S = 3_600


async def made(world: World, uses: int | None = None, expires_in_s: int = HOUR_S) -> Made:
    return await world.links.make("ann", GROUP, expires_in_s, uses)


async def is_in(world: World, uid: str) -> bool:
    return bool(await world.store.members.present_among(GROUP, [uid]))


@pytest.fixture(autouse=True)
async def _group(world: World) -> None:
    """ann, an admin, is in a group with ben."""
    await world.group(GROUP, "ann", "ben")


async def test_whoever_knows_the_code_comes_in_by_its_own_join(world: World) -> None:
    link = await made(world)
    entered = await world.links.enter("cat", link.code)
    assert (entered.conv, entered.seq) == (GROUP, 2)
    (entry,) = await world.store.log.read(GROUP, 1, 9)
    assert (entry.kind, entry.sender) == ("join", "cat")
    assert b'"Originated":"cat"' in entry.envelope
    assert b'"Body":"[\\"cat\\"]"' in entry.envelope


async def test_the_code_is_not_in_the_store(world: World) -> None:
    link = await made(world)
    (kept,) = await world.links.of_group("ann", GROUP)
    assert kept == link.link
    assert link.code not in repr(vars(world.store.links))


async def test_a_link_ends_when_it_expires(world: World) -> None:
    link = await made(world, expires_in_s=60)
    assert link.link.expires_at == world.clock.now_ms() + 60_000
    world.clock.advance(59.9)
    await world.links.enter("cat", link.code)
    world.clock.advance(0.1)
    assert await code_of(world.links.enter("dan", link.code)) is Code.NOT_FOUND
    assert await world.links.of_group("ann", GROUP) == []


async def test_a_revoked_link_leads_nowhere(world: World) -> None:
    link = await made(world)
    await world.links.revoke("ann", GROUP, link.link.id)
    assert await code_of(world.links.enter("cat", link.code)) is Code.NOT_FOUND
    assert await code_of(world.links.revoke("ann", GROUP, link.link.id)) is Code.NOT_FOUND
    assert not await is_in(world, "cat")


async def test_a_link_lets_so_many_in_and_members_use_nothing_up(world: World) -> None:
    link = await made(world, uses=1)
    assert (await world.links.enter("ben", link.code)).seq == 1
    assert (await world.links.enter("cat", link.code)).seq == 2
    assert (await world.links.enter("cat", link.code)).seq == 2
    assert await code_of(world.links.enter("dan", link.code)) is Code.NOT_FOUND
    assert not await is_in(world, "dan")


async def test_who_opens_a_link_twice_at_once_on_two_nodes_comes_in_once_and_uses_it_once(
    world: World,
) -> None:
    one, two = await made(world, uses=1), await made(world, uses=2)
    answers_late(world.store.links, world.store.members)
    for uid, link, seq in (("cat", one, 2), ("dan", two, 3)):
        nodes = [world.another_node().enter(uid, link.code) for _ in range(2)]
        assert [each.seq for each in await asyncio.gather(*nodes)] == [seq, seq]
    left = {each.id: each.uses for each in await world.links.of_group("ann", GROUP)}
    assert left == {one.link.id: 0, two.link.id: 1}


async def test_who_has_left_uses_a_link_once_more(world: World) -> None:
    link = await made(world, uses=2)
    for seq in (2, 4):
        assert (await world.links.enter("cat", link.code)).seq == seq
        await world.depart(GROUP, "cat")
    assert await code_of(world.links.enter("cat", link.code)) is Code.NOT_FOUND


async def test_whose_coming_in_was_not_answered_comes_in_by_the_same_use(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = await made(world, uses=1)

    async def is_away(*_: object) -> None:
        raise WebchatError(Code.UNAVAILABLE, "the store is not answering")

    with monkeypatch.context() as patched:
        patched.setattr(world.appends, "decided", is_away)
        assert await code_of(world.links.enter("cat", link.code)) is Code.UNAVAILABLE
    real = world.appends.decided
    used: list[Appended] = []

    async def goes_away_once(conv: ConvID, decide: Decide) -> Appended:
        appended = await real(conv, decide)
        if not used:
            used.append(appended)
            raise WebchatError(Code.UNAVAILABLE, "the store is not answering")
        return appended

    monkeypatch.setattr(world.appends, "decided", goes_away_once)
    assert await code_of(world.links.enter("cat", link.code)) is Code.UNAVAILABLE
    assert await is_in(world, "cat")  # nobody else may come in by what it used
    assert await code_of(world.links.enter("dan", link.code)) is Code.NOT_FOUND
    assert (await world.links.enter("cat", link.code)).seq == 2


async def test_a_use_that_came_to_nothing_is_given_back(world: World) -> None:
    link = await made(world, uses=1)
    await world.regroup(Group(GROUP, closed=True))
    assert await code_of(world.links.enter("cat", link.code)) is Code.GROUP_CLOSED
    (kept,) = await world.store.links.of_group(GROUP, 0)
    assert kept.uses == 1


async def test_who_is_added_by_another_meanwhile_uses_nothing_up(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    link, use = await made(world, uses=1), world.store.links.use

    async def use_while_added(link_id: str, visit: str) -> bool:
        is_used = await use(link_id, visit)
        await world.join(GROUP, "cat")
        return is_used

    monkeypatch.setattr(world.store.links, "use", use_while_added)
    assert (await world.links.enter("cat", link.code)).seq == 2
    assert [each.uses for each in await world.links.of_group("ann", GROUP)] == [1]


async def test_admins_alone_make_see_and_revoke_links(world: World) -> None:
    link = await made(world)
    for uid, code in (("ben", Code.FORBIDDEN), ("cat", Code.NOT_A_MEMBER)):
        assert await code_of(world.links.make(uid, GROUP, HOUR_S, None)) is code
        assert await code_of(world.links.of_group(uid, GROUP)) is code
        assert await code_of(world.links.revoke(uid, GROUP, link.link.id)) is code
    assert await code_of(world.links.make("ann", "group_none", HOUR_S, None)) is Code.NOT_A_MEMBER
    assert await code_of(world.links.make("ann", "dm:ann:ben", HOUR_S, None)) is Code.NOT_A_MEMBER


@pytest.mark.parametrize(
    ("expires_in_s", "uses"), [(0, None), (-1, None), (30 * 86_400 + 1, None), (60, 0), (60, 10**7)]
)
async def test_a_link_out_of_bounds_is_refused(
    world: World, expires_in_s: int, uses: int | None
) -> None:
    assert await code_of(made(world, uses, expires_in_s)) is Code.BAD_REQUEST


async def test_a_group_has_so_many_links_at_a_time(world: World) -> None:
    links = [await made(world, expires_in_s=60) for _ in range(50)]
    assert await code_of(made(world)) is Code.CONFLICT
    await world.links.revoke("ann", GROUP, links[0].link.id)
    await made(world, expires_in_s=60)
    assert await code_of(made(world)) is Code.CONFLICT
    world.clock.advance(60)
    await made(world)


async def test_of_those_who_make_links_on_nodes_at_once_no_more_succeed_than_a_group_may_have(
    world: World,
) -> None:
    for _ in range(49):
        await made(world)
    answers_late(world.store.links)
    making = [world.another_node().make("ann", GROUP, HOUR_S, None) for _ in range(3)]
    outcomes = await asyncio.gather(*making, return_exceptions=True)
    assert [isinstance(outcome, WebchatError) for outcome in outcomes].count(True) == 2
    assert len(await world.links.of_group("ann", GROUP)) == 50

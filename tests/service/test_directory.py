"""Public groups: found by name, joined by whoever wants to."""

from __future__ import annotations

from tests.service.world import World, code_of
from webchat.errors import Code
from webchat.model import Group

GROUP = "group_team"


async def public(world: World, conv: str, name: str, *people: str) -> None:
    await world.group(conv, *people)
    await world.regroup(Group(conv, name, public=True))


async def test_public_groups_are_found_with_how_many_are_in_them(world: World) -> None:
    await public(world, GROUP, "Team", "ann", "ben")
    await world.group("group_secret", "ann", name="Team too")
    (found,) = (await world.directory.search(" te ", "", 9)).items
    assert (found.group.conv, found.group.name, found.members) == (GROUP, "Team", 2)
    assert (await world.directory.search("x", "", 9)).items == []


async def test_the_list_is_paged_by_id(world: World) -> None:
    for number in range(3):
        await public(world, f"group_{number}", "Team", "ann")
    first = await world.directory.search("team", "", 2)
    assert ([each.group.conv for each in first.items], first.next) == (
        ["group_0", "group_1"], "group_1",
    )  # fmt: skip
    second = await world.directory.search("team", "group_1", 2)
    assert ([each.group.conv for each in second.items], second.next) == (["group_2"], None)
    assert await code_of(world.directory.search("x" * 65, "", 2)) is Code.BAD_REQUEST


async def test_anybody_joins_a_public_group_once(world: World) -> None:
    await public(world, GROUP, "Team", "ann")
    for _ in range(2):
        entered = await world.directory.join("cat", GROUP)
        assert (entered.conv, entered.seq) == (GROUP, 3)
    (entry,) = await world.store.log.read(GROUP, 2, 9)
    assert (entry.kind, entry.sender) == ("join", "cat")


async def test_a_group_that_is_not_public_is_not_found_existing_or_not(world: World) -> None:
    await world.group(GROUP, "ann")
    for conv in (GROUP, "group_none", "dm:ann:ben", "user:ann", "x"):
        assert await code_of(world.directory.join("cat", conv)) is Code.NOT_FOUND
    assert len(await world.store.log.read(GROUP, 0, 9)) == 1


async def test_a_closed_public_group_is_closed(world: World) -> None:
    await public(world, GROUP, "Team", "ann")
    await world.regroup(Group(GROUP, "Team", public=True, closed=True))
    assert await code_of(world.directory.join("cat", GROUP)) is Code.GROUP_CLOSED
    assert (await world.directory.search("", "", 9)).items == []


async def test_who_may_add_me_is_not_asked_about_ones_own_act(world: World) -> None:
    await public(world, GROUP, "Team", "ann")
    await world.user("cat")
    await world.profiles.change("cat", {"who_may_add_me": "shared"})
    assert (await world.directory.join("cat", GROUP)).conv == GROUP

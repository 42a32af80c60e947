"""Flow 6 with a process that dies after each of its store calls: nothing that is held is lost."""

from __future__ import annotations

import pytest

from tests.chat.mortal import MortalStore
from tests.chat.world import Person, World, settle
from webchat.chat.assembly import Settings

G = "group_1"
PEOPLE = ("anna", "ben", "cleo")
MORE_CALLS_THAN_IT_TAKES = 65


async def seeds(world: World) -> list[Person]:
    people = [await world.person(uid) for uid in PEOPLE]
    for person in people:
        person.say("join", person.uid)
        await settle()
    return people


def send(person: Person, body: str) -> None:
    key = f"{person.uid}-{body}"
    person.say("chat", person.act("message", G, MsgID=key, Body=body), ack=False)


def rejoin(person: Person) -> None:
    person.say("chat", person.act("rejoin", G, Body='["anna","ben","cleo"]'), ack=False)


async def live_and_die(world: World, lives_for: int) -> bool:
    """Two write to a group nobody knows, one says who is in it. Returns whether it died."""
    mortal = MortalStore(world.store, lives_for)
    dying = World(world.settings, beside=world, store=mortal)
    anna, ben, _ = await seeds(dying)
    send(anna, "one")
    await settle()
    send(ben, "two")
    await settle()
    rejoin(anna)
    await settle()
    send(anna, "three")
    await settle()
    await dying.chat.close()
    return mortal.is_dead


@pytest.mark.parametrize("lives_for", range(1, MORE_CALLS_THAN_IT_TAKES))
async def test_whatever_call_it_dies_after_each_message_is_there_once(lives_for: int) -> None:
    world = World(Settings(open_mode=True))
    await live_and_die(world, lives_for)
    anna, ben, _ = await seeds(world)
    for person, body in ((anna, "one"), (ben, "two"), (anna, "three")):
        send(person, body)  # as a client does with what it has no ack of
        await settle()
        if person.got("restart"):
            rejoin(person)
            await settle()
    bodies = [entry.msg_id for entry in await world.store.log.read(G, 0, 100)]
    assert sorted(filter(None, bodies)) == ["anna-one", "anna-three", "ben-two"]
    assert bodies.index("anna-one") < bodies.index("anna-three")
    for uid in PEOPLE:
        assert await world.store.held.of_user(uid, 0) == []
    await world.chat.close()


async def test_that_many_calls_are_more_than_it_takes() -> None:
    world = World(Settings(open_mode=True))
    assert not await live_and_die(world, MORE_CALLS_THAN_IT_TAKES)
    await world.chat.close()

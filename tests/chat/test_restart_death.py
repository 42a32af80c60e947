"""Flow 6 with a process that dies after each of its store calls: nothing that is held is lost."""

from __future__ import annotations

import pytest

from tests.chat.mortal import MortalStore
from tests.chat.world import Person, World, settle
from tests.contract.dynamodb_nodes import FaultyTable, Node
from tests.contract.plain_table import PlainTable
from webchat.adapters.dynamodb import DynamoSettings, keys
from webchat.adapters.dynamodb.steady import key_of
from webchat.adapters.dynamodb.table import Item
from webchat.chat.assembly import Settings

G = "group_1"
PEOPLE = ("anna", "ben", "cleo")
MORE_CALLS_THAN_IT_TAKES = 90


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


async def test_what_was_appended_before_it_died_is_there_once_days_later(
    open_world: World,
) -> None:
    table = PlainTable()
    settings = DynamoSettings("nowhere", "none", inline_bytes=600, kept_inline_bytes=200)
    stores = [Node(FaultyTable(table), settings, open_world.clock) for _ in range(3)]
    dying, alive, later = [World(beside=open_world, store=store) for store in stores]

    async def die_once_it_is_appended(item: Item) -> None:
        if key_of(item) == keys.head(G):
            await stores[0].faulty.die(item)

    anna, ben, _ = await seeds(dying)
    send(ben, "one")
    await settle()
    stores[0].faulty.after_put = die_once_it_is_appended
    rejoin(anna)
    await settle()
    stores[0].faulty.is_gone.set()
    anna = await alive.joined("anna")
    for number in range(10):
        assert (await anna.say_in(G, str(number)))["ok"]
    open_world.clock.advance(settings.keys_kept_ms / 1000 + 1)
    log, held = stores[2].log, stores[2].held
    assert len(await held.of_user("ben", 0)) == 1
    await seeds(later)
    await settle()
    bodies = [entry.msg_id for entry in await log.read(G, 0, 100)]
    assert bodies == ["", "ben-one", *(f"anna-{number}" for number in range(10))]
    assert await held.of_user("ben", 0) == []
    for world in (dying, alive, later):
        await world.chat.close()

"""Writes of a batch on PostgreSQL that meet others: in which order, and what is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import asyncpg
import pytest

from tests.contract.asking import create, message, move, send
from tests.contract.postgresql_locks import locks_awaited
from tests.engines.postgresql import shared_server
from tests.memory import ManualClock
from webchat.adapters.postgresql import PostgresSettings, PostgresStore
from webchat.model import ConvID, Position
from webchat.ports.log import Append, Appended
from webchat.ports.positions import Move

GROUP = "group_x"
OTHER = "group_y"
ENGLISH = ("--template=template0", "--locale-provider=icu", "--icu-locale=en")

# One who moves that far is the victim of a deadlock, once.
_BREAK_OFF_ONCE = """
    CREATE SEQUENCE public.broken_off;
    CREATE FUNCTION break_off() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF nextval('public.broken_off') = 1 THEN RAISE 'broken off' USING ERRCODE = '40P01'; END IF;
        RETURN new;
    END $$;
    CREATE TRIGGER broken_off BEFORE INSERT ON webchat.position FOR EACH ROW
    WHEN (new.displayed = 3) EXECUTE FUNCTION break_off()"""


@pytest.fixture
async def url() -> str:
    """Of a database whose language has "a" before "B", as bytes do not."""
    return shared_server().new_database(None, *ENGLISH)


@pytest.fixture
async def superuser(url: str) -> AsyncIterator[asyncpg.Connection]:
    """Somebody else on the database."""
    connection = await asyncpg.connect(url)
    yield connection
    connection.terminate()


@pytest.fixture
async def store(url: str, clock: ManualClock) -> AsyncIterator[PostgresStore]:
    """With two groups of "a" and "B", in the first of which each has said something."""
    made = PostgresStore(url, PostgresSettings(statement_timeout_ms=60_000), clock)
    await made.init()
    await made.open("secured")
    for group in (GROUP, OTHER):
        await send(made, create(group, "a", "B"))
    await both_speak(made)
    yield made
    await made.close()


def say(sender: str, msg_id: str, conv: ConvID = GROUP) -> Append:
    return Append(conv, (message(sender, msg_id),), moves_sender=True)


async def both_speak(store: PostgresStore) -> None:
    await asyncio.gather(*[send(store, say(uid, "")) for uid in ("a", "B")])


async def both_read(store: PostgresStore) -> None:
    await move(store, Move(GROUP, "a", 3, 3), Move(GROUP, "B", 4, 4))


@pytest.mark.parametrize("act", [both_speak, both_read])
async def test_positions_are_taken_in_the_order_of_bytes_whatever_the_databases_language(
    act: Callable[[PostgresStore], Awaitable[None]],
    store: PostgresStore,
    superuser: asyncpg.Connection,
) -> None:
    await send(store, Append(GROUP, (message("cid", "new"),)))
    async with superuser.transaction():
        take = "SELECT FROM webchat.position WHERE uid = $1 FOR UPDATE NOWAIT"
        await superuser.execute(take, "B")
        acting = asyncio.ensure_future(act(store))
        await locks_awaited(superuser, 1)
        await superuser.execute(take, "a")
    await acting


async def test_moves_that_are_broken_off_and_tried_again_are_all_told(
    store: PostgresStore, superuser: asyncpg.Connection
) -> None:
    await superuser.execute(_BREAK_OFF_ONCE)
    moves = [Move(GROUP, "bob", seq, seq) for seq in (2, 3)]
    told = await asyncio.gather(*[move(store, each) for each in moves])
    places = [(each.before.displayed, each.after.displayed) for (each,) in told]
    assert places == [(0, 2), (2, 3)]


async def test_a_message_that_comes_again_holds_up_none_but_those_behind_it(
    store: PostgresStore,
) -> None:
    await send(store, say("a", "1"))
    told: list[str] = []

    def ask(name: str, request: Append) -> asyncio.Future[Appended]:
        asked = send(store, request)
        asked.add_done_callback(lambda _: told.append(name))
        return asked

    outcomes = await asyncio.gather(
        ask("ahead", say("B", "2")),
        ask("again", say("a", "1")),
        ask("behind", say("B", "3")),
        ask("other", say("a", "1", OTHER)),
        ask("twice in the batch", say("a", "1", OTHER)),
    )
    assert told == ["ahead", "other", "again", "behind", "twice in the batch"]
    assert [outcome.fresh for outcome in outcomes] == [True, False, True, True, False]
    assert [outcome.entries[0].seq for outcome in outcomes] == [5, 4, 6, 2, 2]
    assert await store.positions.of_members(GROUP, ["a", "B"]) == {
        "a": Position(4, 4, 3), "B": Position(6, 6, 5)
    }  # fmt: skip

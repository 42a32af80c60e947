"""What acts cost a PostgreSQL store, in rows looked at: a large group as many as a small one.

The database knows many small logs, as it does in use, so that its plans count on small ones.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Final

import asyncpg
import pytest

from tests.contract.asking import create, depart, edit, message, move, react, refer, send, to_pair
from tests.engines.postgresql import shared_server
from tests.memory import ManualClock
from webchat.adapters.postgresql import PostgresSettings, PostgresStore
from webchat.model import ConvID
from webchat.ports.log import Append, Appended
from webchat.ports.positions import Move

SMALL: Final = 10
LARGE: Final = 1_000
A_FEW_ROWS: Final = 12
"""More than one version of a row may be met before the dead ones are gone."""

MANY_ROWS: Final = 60
Acts = Callable[[PostgresStore, ConvID], dict[str, Callable[[], Awaitable[object]]]]

_LOOKED_AT: Final = """
    SELECT sum(read)::bigint FROM (
        SELECT idx_tup_read AS read FROM pg_stat_user_indexes
        UNION ALL SELECT seq_tup_read FROM pg_stat_user_tables
    ) AS looks"""
_MAKE_ACCOUNTS: Final = """
    WITH made AS (
        INSERT INTO account
        SELECT $1::text || lpad(number::text, 6, '0'), '', '', true, 'everybody', false, '', 1, 1
        FROM generate_series(1, $2::int) AS number RETURNING uid
    ) INSERT INTO account_term SELECT convert_to(uid, 'UTF8'), uid FROM made"""
"""Accounts that are found by their uids alone."""
_MAKE_PUBLIC_GROUPS: Final = """
    WITH made AS (
        INSERT INTO log (name) SELECT 'group_' || $1::text || lpad(number::text, 6, '0')
        FROM generate_series(1, $2::int) AS number RETURNING id
    ) INSERT INTO chat_group
    SELECT id, convert_to($1, 'UTF8'), '', false, false, true, false, convert_to($1, 'UTF8')
    FROM made"""
_LOOKS: Final = "SELECT sum(idx_scan)::bigint FROM pg_stat_user_indexes"


@pytest.fixture
def url() -> str:
    return shared_server().new_database()


@pytest.fixture
async def store(url: str, clock: ManualClock) -> AsyncIterator[PostgresStore]:
    made = PostgresStore(url, PostgresSettings(read_connections=1), clock)
    await made.init()
    await made.open("secured")
    pairs = [send(made, to_pair(f"a{number}", f"b{number}", "1")) for number in range(400)]
    await asyncio.gather(*pairs)
    for members in (SMALL, LARGE):
        await make_group(made, members)
    yield made
    await made.close()


async def make_group(store: PostgresStore, members: int) -> None:
    """A group with as many messages as members, from Seq 2 on, and a reaction to each."""
    conv = f"group_{members}"
    await send(store, create(conv, *(f"u{number}" for number in range(members))))
    asked = [
        send(store, Append(conv, (message("u0", str(number)),), moves_sender=True))
        for number in range(members)
    ]
    await asyncio.gather(*asked)
    await asyncio.gather(*[send(store, react(conv, "u1", 2 + at, "👍")) for at in range(members)])


def writes(store: PostgresStore, conv: ConvID) -> dict[str, Callable[[], Awaitable[object]]]:
    """An act of each kind that changes something."""
    asked: dict[str, Append] = {
        "message": Append(conv, (message("u0", "new"),), members_as_of=1, moves_sender=True),
        "message met again": Append(conv, (message("u0", "3"),), members_as_of=1),
        "edit": edit(conv, "u0", 3, "changed"),
        "react": react(conv, "u2", 3, "👎"),
        "refer": refer(conv, "u0", "new"),
        "depart": depart(conv, "u1", since=1),
    }
    acts = {name: lambda request=request: send(store, request) for name, request in asked.items()}
    return {**acts, "move": lambda: move(store, Move(conv, "u2", 4, 3))}


def reads(store: PostgresStore, conv: ConvID) -> dict[str, Callable[[], Awaitable[object]]]:
    """An act of each kind that asks something."""
    log, members, positions = store.log, store.members, store.positions
    return {
        "read": lambda: log.read(conv, 3, 2),
        "read each": lambda: log.read_each({conv: 3, "group_none": 0}, 2),
        "read before": lambda: log.read_before(conv, None, 2),
        "find": lambda: log.find(conv, "u0", "3"),
        "heads": lambda: log.heads([conv]),
        "reactions": lambda: log.reactions(conv, [3, 4], 99),
        "spans": lambda: members.spans(conv, "u3"),
        "page": lambda: members.page(conv, "u3", 2),
        "count": lambda: members.count(conv),
        "members as of now": lambda: members.at(conv, 10**6, 2),
        "present among": lambda: members.present_among(conv, ["u3", "u4", "nobody"]),
        "successor": lambda: members.successor(conv, "u0"),
        "sharing": lambda: members.sharing("u3", ["u4", "nobody"]),
        "conversations": lambda: members.of_user(f"u{SMALL - 1}"),
        "following": lambda: store.following.of(f"u{SMALL - 1}"),
        "newest": lambda: store.following.newest(f"u{SMALL - 1}", None, 2),
        "positions of a user": lambda: positions.of_user("u3", [conv]),
        "positions of members": lambda: positions.of_members(conv, ["u3", "u4"]),
    }


async def costs(
    store: PostgresStore,
    url: str,
    acts: Acts,
    *,
    counts: bool,
) -> dict[str, tuple[int, int]]:
    """The rows that each act looked at in the small group, and in the large one.

    `counts`: whether the server has counted its rows, so that plans are made anew.
    """
    watcher = await asyncpg.connect(url, server_settings={"search_path": "webchat"})
    try:
        if counts:
            await watcher.execute("ANALYZE")
        small, large = [
            {name: await looks(store, watcher, act) for name, act in acts(store, conv).items()}
            for conv in (f"group_{SMALL}", f"group_{LARGE}")
        ]
    finally:
        await watcher.close()
    return {name: (small[name], large[name]) for name in small}


async def looks(
    store: PostgresStore, watcher: asyncpg.Connection, act: Callable[[], Awaitable[object]]
) -> int:
    """How many rows of tables and indexes `act` looks at."""
    before = await looked_at(store, watcher)
    await act()
    return await looked_at(store, watcher) - before


async def looked_at(
    store: PostgresStore, watcher: asyncpg.Connection, what: str = _LOOKED_AT
) -> int:
    """All that was looked at so far."""
    for connections in (store._for_writes, store._for_others):
        # Each connection tells what it did when it is next idle.
        for _ in range(2):
            await connections.fetch("SELECT pg_stat_force_next_flush()")
    looks: int = await watcher.fetchval(what)
    return looks


@pytest.mark.parametrize("counts", [False, True])
@pytest.mark.parametrize("acts", [writes, reads])
async def test_acts_look_at_a_few_rows_and_at_no_more_in_a_large_group(
    store: PostgresStore, url: str, acts: Acts, counts: bool
) -> None:
    told = await costs(store, url, acts, counts=counts)
    assert all(0 < small < MANY_ROWS for small, _ in told.values()), told
    assert {name: it for name, it in told.items() if it[1] > it[0] + A_FEW_ROWS} == {}


async def test_who_of_many_is_met_somewhere_is_not_asked_in_each_conversation(
    store: PostgresStore, url: str
) -> None:
    await asyncio.gather(
        *[send(store, to_pair("many", f"c{number}", "1")) for number in range(100)]
    )
    watcher = await asyncpg.connect(url, server_settings={"search_path": "webchat"})
    strangers = [f"a{number}" for number in range(100)]
    try:
        before = await looked_at(store, watcher, _LOOKS)
        assert await store.members.sharing("many", [*strangers, "c7"]) == {"c7"}
        assert await looked_at(store, watcher, _LOOKS) - before < 400
    finally:
        await watcher.close()


async def test_a_search_for_many_does_not_look_at_all_accounts_before_them(
    store: PostgresStore, url: str
) -> None:
    watcher = await asyncpg.connect(url, server_settings={"search_path": "webchat"})
    try:
        for name, count in (("ann", 60_000), ("zoe", 1_200)):
            await watcher.execute(_MAKE_ACCOUNTS, name, count)
        await watcher.execute("ANALYZE")
        before = await looked_at(store, watcher)
        assert len(await store.accounts.search("z", "", 50)) == 50
        assert await looked_at(store, watcher) - before < 30_000
    finally:
        await watcher.close()


@pytest.mark.parametrize("counts", [False, True])
async def test_a_page_of_public_groups_looks_at_no_more_of_them_than_it_has_to(
    store: PostgresStore, url: str, counts: bool
) -> None:
    watcher = await asyncpg.connect(url, server_settings={"search_path": "webchat"})
    try:
        for name, count in (("chess", 40_000), ("go", 9)):
            await watcher.execute(_MAKE_PUBLIC_GROUPS, name, count)
        if counts:
            await watcher.execute("ANALYZE")
        for prefix, after, found, looks in (
            ("ch", "", 50, 12_000),
            ("ch", "group_chess015000", 50, 12_000),
            ("go", "", 9, 50),
        ):
            before = await looked_at(store, watcher)
            assert len(await store.members.public(prefix, after, 50)) == found
            assert await looked_at(store, watcher) - before < looks
    finally:
        await watcher.close()


async def test_messages_do_not_wait_until_all_who_come_in_at_once_are_in(
    store: PostgresStore,
) -> None:
    told: list[str] = []

    def ask(name: str, request: Append) -> asyncio.Future[Appended]:
        asked = send(store, request)
        asked.add_done_callback(lambda _: told.append(name))
        return asked

    def many(group: str) -> Append:
        return create(group, *(f"{group}.{number}" for number in range(LARGE)))

    made = [ask(group, many(group)) for group in ("group_a", "group_b", "group_c")]
    moved = asyncio.ensure_future(move(store, Move("group_c", "group_c.1", 1, 1)))
    await made[0]
    said = Append(f"group_{SMALL}", (message("u0", "late"),))
    behind = Append("group_c", (message("group_c.0", "late"),))
    await asyncio.gather(ask("said", said), ask("behind", behind), *made[1:])
    assert told == ["group_a", "group_b", "said", "group_c", "behind"]
    assert [each.after.displayed for each in await moved] == [1]

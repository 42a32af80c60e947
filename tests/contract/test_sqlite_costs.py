"""What acts cost an SQLite store: the same in a large group as in a small, and few calls a message.

SQLite's own steps and Python's calls are counted rather than time, so that the outcome is the same
on any machine.
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import closing
from functools import partial
from types import FrameType, SimpleNamespace
from typing import Any, Final, TypeVar

import pytest

from tests.contract.asking import create, depart, edit, message, react, refer, to_pair
from tests.memory import ManualClock
from webchat.adapters.sqlite import SqliteSettings
from webchat.adapters.sqlite.accounts import SqliteAccounts
from webchat.adapters.sqlite.conversations import SqliteLog, SqliteMembers
from webchat.adapters.sqlite.following import SqliteFollowing
from webchat.adapters.sqlite.kept import SqliteKeptReceipts
from webchat.adapters.sqlite.ledger import Ledger
from webchat.adapters.sqlite.logs import Logs
from webchat.adapters.sqlite.positions import SqlitePositions
from webchat.adapters.sqlite.schema import migrate
from webchat.ports.log import Append
from webchat.ports.positions import Move

R = TypeVar("R")
SMALL: Final = 10
LARGE: Final = 2_000
A_FEW_STEPS: Final = 25
"""A search in a deeper tree may take a little longer."""
STEPS_A_ROW: Final = 8
"""To read a row of a table in its order, and see by one column that it does not count."""
BATCH: Final = 100
CALLS_A_MESSAGE: Final = 25
"""Of Python's functions, and of C's from Python, for a message in a batch of as many, until it is
durable; raise it on purpose only."""
CALLS_A_CONVERSATION: Final = 12
"""The same, for one message that is new in a conversation which a device comes back to."""


def steps_of(db: sqlite3.Connection, act: Callable[[], object]) -> int:
    """How many steps SQLite's virtual machine takes for `act`."""
    steps = 0

    def step() -> int:
        nonlocal steps
        steps += 1
        return 0

    db.set_progress_handler(step, 1)
    act()
    db.set_progress_handler(None, 1)
    return steps


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        migrate(connection)
        yield connection


@pytest.fixture
def logs(clock: ManualClock, db: sqlite3.Connection) -> Logs:
    ledger = Ledger(clock, SqliteSettings())
    ledger.others_wrote(db)  # as the writer begins
    ledger.learn(db, 0)
    return Logs(ledger)


def transact(db: sqlite3.Connection, logs: Logs, act: Callable[[], object]) -> None:
    """Do `act` in a transaction of its own."""
    ledger = logs._ledger
    db.execute("BEGIN")
    ledger.begin(db, [])
    act()
    ledger.finish(db, is_idle=False)
    db.execute("COMMIT")
    ledger.committed()


def append(db: sqlite3.Connection, logs: Logs, request: Append) -> None:
    transact(db, logs, lambda: logs.append(db, request))


def make_group(db: sqlite3.Connection, logs: Logs, members: int) -> str:
    """A group with two messages at Seq 2 and 3."""
    conv = f"group_{members}"
    append(db, logs, create(conv, *(f"u{number}" for number in range(members))))
    append(db, logs, Append(conv, (message("u0", "1"), message("u1", "2"))))
    transact(db, logs, lambda: logs.settle_all(db, None))
    return conv


def costs(db: sqlite3.Connection, logs: Logs, conv: str) -> dict[str, int]:
    """The steps of one act of each kind."""
    appends = {
        "message": Append(conv, (message("u0", "3"),), members_as_of=1, moves_sender=True),
        "edit": edit(conv, "u0", 2, "changed"),
        "react": react(conv, "u1", 2, "👍"),
        "refer": refer(conv, "u0", "new"),
        "depart": depart(conv, "u1", since=1),
    }
    steps = {
        name: steps_of(db, partial(append, db, logs, request)) for name, request in appends.items()
    }
    move = partial(logs.move, db, [Move(conv, "u2", 3, 3)], {})
    return {**steps, "move": steps_of(db, lambda: transact(db, logs, move))}


def test_acts_cost_a_large_group_what_they_cost_a_small_one(
    db: sqlite3.Connection, logs: Logs
) -> None:
    small = costs(db, logs, make_group(db, logs, SMALL))
    large = costs(db, logs, make_group(db, logs, LARGE))
    assert min(small.values()) > 0
    assert {name for name in small if large[name] > small[name] + A_FEW_STEPS} == set()


class AtOnce:
    """Reads from `db` with no thread of their own."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    async def read(self, query: Callable[[sqlite3.Connection], R]) -> R:
        return query(self._db)

    brief = read


def test_who_of_many_is_met_somewhere_is_not_asked_in_each_conversation(
    db: sqlite3.Connection, logs: Logs
) -> None:
    for number in range(100):
        append(db, logs, to_pair("many", f"f{number}", "1"))
        append(db, logs, to_pair("other", f"y{number}", "1"))
    members = SqliteMembers(AtOnce(db))

    def steps(strangers: int) -> int:
        asked = [f"y{number}" for number in range(strangers)]
        return steps_of(db, lambda: asyncio.run(members.sharing("many", asked)))

    assert steps(100) < steps(10) + 90 * A_FEW_STEPS


def statements_of(
    db: sqlite3.Connection, read: Callable[[], Coroutine[Any, Any, object]]
) -> list[str]:
    """What SQLite is told for a read."""
    statements: list[str] = []
    db.set_trace_callback(statements.append)
    asyncio.run(read())
    db.set_trace_callback(None)
    return statements


def plan_of(db: sqlite3.Connection, read: Callable[[], Coroutine[Any, Any, object]]) -> list[str]:
    """Where SQLite finds the rows of members for a read."""
    explain = [f"EXPLAIN QUERY PLAN {each}" for each in statements_of(db, read)]
    found = [row[3] for each in explain for row in db.execute(each)]
    return [step for step in found if " member " in step]


def test_what_a_user_follows_is_read_from_an_index_alone_and_members_of_a_log_together(
    clock: ManualClock, db: sqlite3.Connection
) -> None:
    following = SqliteFollowing(AtOnce(db), Ledger(clock, SqliteSettings()))
    members = SqliteMembers(AtOnce(db))
    for read in (lambda: following.of("ann"), lambda: members.of_user("ann")):
        plan = plan_of(db, read)
        assert {each.partition(" (")[0] for each in plan} == {
            "SEARCH member USING COVERING INDEX member_by_user"
        }
    assert plan_of(db, lambda: members.present_among("group_x", ["ann", "bob"])) == [
        "SEARCH member USING PRIMARY KEY (log=? AND uid=?)"
    ]


def test_what_a_user_follows_is_one_statement_by_which_the_loop_only_sees_if_it_is_much(
    clock: ManualClock, db: sqlite3.Connection, logs: Logs
) -> None:
    append(db, logs, to_pair("few", "f", "1"))
    for number in range(300):
        append(db, logs, to_pair("many", f"f{number}", "1"))
    following = SqliteFollowing(AtOnce(db), Ledger(clock, SqliteSettings()))
    assert len(statements_of(db, lambda: following.of("few"))) == 1
    briefly, by_a_thread = statements_of(db, lambda: following.of("many"))
    assert steps_of(db, lambda: db.execute(briefly).fetchall()) < 100 * STEPS_A_ROW
    assert steps_of(db, lambda: db.execute(by_a_thread).fetchall()) > 300 * STEPS_A_ROW


def test_of_the_many_spans_of_one_member_the_loop_reads_a_few(
    db: sqlite3.Connection, logs: Logs
) -> None:
    append(db, logs, create("group_x", "few", "many"))
    for since in range(1, 401, 2):
        append(db, logs, depart("group_x", "many", since))
        append(db, logs, refer("group_x", "few", "many"))
    members = SqliteMembers(AtOnce(db))
    assert len(statements_of(db, lambda: members.spans("group_x", "few"))) == 1
    briefly, by_a_thread = statements_of(db, lambda: members.spans("group_x", "many"))
    assert len(db.execute(briefly).fetchall()) == 101
    found = db.execute(by_a_thread).fetchall()
    assert [since for _, _, since, _, _ in found] == list(range(1, 402, 2))


def test_members_who_do_not_have_an_entry_are_counted_at_a_row_each(
    clock: ManualClock, db: sqlite3.Connection, logs: Logs
) -> None:
    append(db, logs, create("group_x", *(f"u{number}" for number in range(LARGE))))
    append(db, logs, Append("group_x", (message("u0", "1"),)))
    transact(db, logs, lambda: logs.move(db, [Move("group_x", "u1", 2, 2)], {}))
    transact(db, logs, lambda: logs.settle_all(db, None))
    writer: Any = None  # which nothing is asked of, where all is in the tables
    positions = SqlitePositions(logs, writer, AtOnce(db), Ledger(clock, SqliteSettings()))
    counted = partial(positions.counts, "group_x", "u0", [2])
    assert asyncio.run(counted()) == {2: (1, 1)}
    assert steps_of(db, lambda: asyncio.run(counted())) < LARGE * STEPS_A_ROW


def make_accounts(db: sqlite3.Connection, name: str, numbers: range) -> None:
    """Accounts that are found by their uids alone."""
    uids = [f"{name}{number:06}" for number in numbers]
    insert = "INSERT INTO account VALUES (?, '', '', 1, 'everybody', 0, '', 1, 1)"
    db.executemany(insert, [(uid,) for uid in uids])
    db.executemany("INSERT INTO account_term VALUES (?1, ?1)", [(uid,) for uid in uids])


def test_a_search_for_many_costs_the_same_however_many_come_before_them(
    db: sqlite3.Connection,
) -> None:
    writer: Any = SimpleNamespace(write=None)  # which nothing is asked of
    reader: Any = AtOnce(db)
    accounts = SqliteAccounts(writer, reader)
    make_accounts(db, "zoe", range(1_200))

    def steps(before: range) -> int:
        make_accounts(db, "ann", before)
        return steps_of(db, lambda: asyncio.run(accounts.search("z", "", 50)))

    behind_fewer = steps(range(20_000))
    assert steps(range(20_000, 40_000)) < behind_fewer + A_FEW_STEPS


def make_public_groups(db: sqlite3.Connection, name: str, numbers: range) -> None:
    """Groups of this name, and a pair each."""
    for number in numbers:
        log = db.execute("INSERT INTO log (name) VALUES (?)", (f"group_{name}{number:06}",))
        row = (log.lastrowid, name, "", 0, 0, 1, 0, name)
        db.execute("INSERT INTO chat_group VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
        db.execute("INSERT INTO log (name) VALUES (?)", (f"dm:{name}{number:06}:zoe",))


def test_a_page_of_public_groups_costs_the_same_of_however_many(db: sqlite3.Connection) -> None:
    members = SqliteMembers(AtOnce(db))

    def steps(numbers: range, after: str) -> int:
        make_public_groups(db, "chess", numbers)
        return steps_of(db, lambda: asyncio.run(members.public("ch", after, 50)))

    of_fewer = steps(range(11_000), "")
    assert steps(range(11_000, 30_000), "") < of_fewer + A_FEW_STEPS
    assert steps(range(0), "group_chess015000") < of_fewer + A_FEW_STEPS


def test_a_few_public_groups_are_found_by_their_name(db: sqlite3.Connection) -> None:
    members = SqliteMembers(AtOnce(db))
    make_public_groups(db, "chess", range(3_000))
    make_public_groups(db, "go", range(9))
    asked = partial(members.public, "go", "", 50)
    assert len(asyncio.run(asked())) == 9
    assert steps_of(db, lambda: asyncio.run(asked())) < 50 * STEPS_A_ROW


def test_who_has_nothing_kept_is_known_without_a_write(db: sqlite3.Connection) -> None:
    async def write(change: Callable[..., R], argument: object) -> R:
        written.append(argument)
        return change(db, argument)

    written: list[object] = []
    writer: Any = SimpleNamespace(write=write)
    kept = SqliteKeptReceipts(writer, AtOnce(db))
    asyncio.run(kept.keep("ann", [b"1"], newest=10))
    assert asyncio.run(kept.take("ann", 10)) == [b"1"]
    assert written == ["ann", "ann"]
    assert [*asyncio.run(kept.take("ann", 10)), *asyncio.run(kept.take("bob", 10))] == []
    assert written == ["ann", "ann"]


def calls_of(act: Callable[[], object]) -> int:
    """How many functions `act` calls."""
    calls = 0

    def count(frame: FrameType, event: str, arg: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    sys.setprofile(count)
    try:
        act()
    finally:
        sys.setprofile(None)
    return calls


def test_a_message_takes_few_calls(db: sqlite3.Connection, logs: Logs) -> None:
    convs = [make_group(db, logs, members) for members in range(2, 12)]
    requests = [
        Append(convs[number % 10], (message("u0", f"c{number}"),), None, moves_sender=True)
        for number in range(BATCH)
    ]

    def batch() -> None:
        db.execute("BEGIN")
        logs._ledger.begin(db, requests)
        for request in requests:
            logs.append(db, request)
        logs._ledger.finish(db, is_idle=False)
        db.execute("COMMIT")
        logs._ledger.committed()

    assert calls_of(batch) <= CALLS_A_MESSAGE * BATCH


def test_news_of_many_conversations_take_few_calls_each(
    clock: ManualClock, db: sqlite3.Connection, logs: Logs
) -> None:
    convs = [make_group(db, logs, members) for members in range(2, 32)]
    writer: Any = None  # which nothing is asked of
    log = SqliteLog(logs, writer, AtOnce(db), Ledger(clock, SqliteSettings()))

    def calls(asked: int) -> int:
        places = dict.fromkeys(convs[:asked], 2)
        return calls_of(lambda: asyncio.run(log.read_each(places, 9)))

    assert calls(30) - calls(10) <= 20 * CALLS_A_CONVERSATION

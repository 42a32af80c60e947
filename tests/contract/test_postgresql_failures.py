"""A PostgreSQL store whose server, connections, nodes or callers fail: refused, and it goes on."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from functools import partial

import asyncpg
import pytest

from tests.contract.asking import create, message, move, refer, send, to_pair
from tests.contract.postgresql_locks import locks_awaited
from tests.engines.postgresql import PostgresServer, postgres_server
from tests.memory import ManualClock
from webchat.adapters.memory import LoopClock
from webchat.adapters.postgresql import PostgresSettings, PostgresStore
from webchat.adapters.postgresql.connections import Servers
from webchat.errors import Code, TooBusyError, WebchatError
from webchat.model import Position, pair_of, user_log
from webchat.ports.log import Append, Appended
from webchat.ports.positions import Move
from webchat.ports.store import StoreRefused

GROUP = "group_x"
STATEMENT_TIMEOUT_MS = 400
PATIENT_MS = 30_000
BACK_WITHIN_S = 20.0


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """A server to harm."""
    with postgres_server() as running:
        yield running


@pytest.fixture
def url(server: PostgresServer) -> str:
    return server.new_database()


@asynccontextmanager
async def opened(url: str, statement_timeout_ms: int) -> AsyncIterator[PostgresStore]:
    """A store with a group in it, both made by one that is patient."""
    maker = store_of(url, PATIENT_MS)
    await maker.init()
    await maker.open("secured")
    await send(maker, create(GROUP, "ann", "bob"))
    await maker.close()
    made = store_of(url, statement_timeout_ms)
    await made.open("secured")
    yield made
    await made.close()


def store_of(url: str, statement_timeout_ms: int) -> PostgresStore:
    """One that is not open."""
    settings = PostgresSettings(
        statement_timeout_ms=statement_timeout_ms, connect_timeout_ms=statement_timeout_ms,
        reconnect_max_ms=50, max_waiting=100,
    )  # fmt: skip
    return PostgresStore(url, settings, LoopClock())


@pytest.fixture
async def store(url: str) -> AsyncIterator[PostgresStore]:
    """One that is patient with a busy machine."""
    async with opened(url, PATIENT_MS) as made:
        yield made


@pytest.fixture
async def hasty(url: str) -> AsyncIterator[PostgresStore]:
    """One that gives up soon."""
    async with opened(url, STATEMENT_TIMEOUT_MS) as made:
        yield made


@pytest.fixture
async def superuser(url: str) -> AsyncIterator[asyncpg.Connection]:
    """Somebody else on the database."""
    connection = await asyncpg.connect(url)
    yield connection
    connection.terminate()


def say(msg_id: str) -> Append:
    return Append(GROUP, (message("ann", msg_id),), moves_sender=True)


async def outcome(asked: asyncio.Future[Appended]) -> Code | None:
    """Why an append was refused; None: it was not."""
    try:
        await asked
    except WebchatError as refusal:
        return refusal.code
    return None


async def again(act: Callable[[], Awaitable[object]]) -> None:
    """Wait until `act` is no longer UNAVAILABLE."""
    async with asyncio.timeout(BACK_WITHIN_S):
        while True:
            try:
                await act()
            except WebchatError as refusal:
                if refusal.code is not Code.UNAVAILABLE:
                    raise
            else:
                return
            await asyncio.sleep(0.02)


async def serves_again(store: PostgresStore) -> None:
    await again(lambda: send(store, say("back")))
    await again(lambda: store.members.count(GROUP))


async def test_what_was_acked_survives_the_server_killed_under_load(
    store: PostgresStore, server: PostgresServer
) -> None:
    acked: dict[str, int] = {}
    under_load = asyncio.Event()

    async def talked(msg_id: str) -> None:
        acked[msg_id] = (await send(store, say(msg_id))).entries[0].seq

    async def talk(sender: int) -> None:
        for number in range(60):
            msg_id = f"{sender}.{number}"
            await again(partial(talked, msg_id))
            if len(acked) == 50:
                under_load.set()

    async def kill() -> None:
        await under_load.wait()
        server.kill()
        await asyncio.to_thread(server.start)

    await asyncio.gather(kill(), *[talk(sender) for sender in range(5)])
    entries = await store.log.read(GROUP, 1, 1_000)
    assert {entry.msg_id: entry.seq for entry in entries} == acked
    assert [entry.seq for entry in entries] == list(range(2, 302))
    assert not await store.trouble()


async def test_a_server_that_stands_still_is_unavailable_within_the_timeout(
    hasty: PostgresStore, server: PostgresServer
) -> None:
    await again(lambda: send(hasty, say("1")))
    server.pause()
    try:
        began = time.monotonic()
        assert await outcome(send(hasty, say("2"))) is Code.UNAVAILABLE
        with pytest.raises(WebchatError) as refusal:
            await hasty.log.read(GROUP, 0, 10)
        assert refusal.value.code is Code.UNAVAILABLE
        with pytest.raises(WebchatError):
            await move(hasty, Move(GROUP, "bob", 2, 2))
        assert time.monotonic() - began < 8 * STATEMENT_TIMEOUT_MS / 1000
        assert await hasty.trouble()
    finally:
        server.resume()
    await serves_again(hasty)
    await again(lambda: send(hasty, say("2")))
    said = [entry.msg_id for entry in await hasty.log.read(GROUP, 0, 10)]
    assert sorted(said) == ["", "1", "2", "back"]
    assert not await hasty.trouble()


async def test_a_server_that_stands_still_in_the_middle_of_transactions_is_given_up(
    url: str, server: PostgresServer, superuser: asyncpg.Connection
) -> None:
    async with opened(url, 3_000) as store:
        async with superuser.transaction():
            await superuser.execute("UPDATE webchat.log SET n = n WHERE name = $1", GROUP)
            await superuser.execute("LOCK TABLE webchat.login")
            asked: list[asyncio.Future[object]] = [
                asyncio.ensure_future(send(store, refer(GROUP, "ann", "cid"))),
                asyncio.ensure_future(store.logins.revoke_all("ann")),
            ]
            await locks_awaited(superuser, len(asked))
            server.pause()
            try:
                done, _ = await asyncio.wait(asked, timeout=BACK_WITHIN_S)
            finally:
                server.resume()
        assert [type(each.exception()) for each in done] == [WebchatError, WebchatError]
        await serves_again(store)
        said = [entry.kind for entry in await store.log.read(GROUP, 0, 9)]
        assert said == ["create", "message"]


async def test_an_outage_is_a_line_in_the_log_and_no_stack_trace(
    hasty: PostgresStore, server: PostgresServer, caplog: pytest.LogCaptureFixture
) -> None:
    await again(lambda: send(hasty, say("1")))
    server.pause()
    try:
        for msg_id in ("2", "3"):
            assert await outcome(send(hasty, say(msg_id))) is Code.UNAVAILABLE
    finally:
        server.resume()
    await serves_again(hasty)
    (line,) = [record for record in caplog.records if record.name.startswith("webchat.")]
    assert (line.levelname, line.exc_info) == ("WARNING", None)
    assert "TimeoutError" in line.getMessage()


async def test_why_it_cannot_be_connected_to_is_said_until_it_is_tried_again(
    url: str, server: PostgresServer
) -> None:
    settings = PostgresSettings(reconnect_min_ms=60_000, reconnect_max_ms=60_000)
    clock = ManualClock()
    store = PostgresStore(url, settings, clock)
    await store.init()
    await store.open("secured")
    server.kill()
    try:
        async with asyncio.timeout(BACK_WITHIN_S):  # one that is gone may be met before
            while "Connect" not in (why := await store.trouble()):
                assert why
        assert await store.trouble() == why
    finally:
        await asyncio.to_thread(server.start)
    clock.advance(60.0)
    assert not await store.trouble()
    await store.close()


async def test_a_standby_is_as_good_as_none_until_it_is_the_primary(
    store: PostgresStore, server: PostgresServer, url: str
) -> None:
    await asyncio.to_thread(server.demote)
    try:
        for _ in range(2):  # connections that are gone may be met, but no other that answers
            with pytest.raises(WebchatError) as refusal:
                await store.members.count(GROUP)
            assert refusal.value.code is Code.UNAVAILABLE
        assert await store.trouble()
        with pytest.raises(StoreRefused, match="standby"):
            await PostgresStore(url, PostgresSettings(), LoopClock()).open("secured")
        anyone = Servers(f"{url}?target_session_attrs=any", PostgresSettings())
        reader = await anyone.connect()
        assert await reader.fetchval("SELECT last FROM log WHERE name = $1", GROUP) == 1
        reader.terminate()
    finally:
        await asyncio.to_thread(server.promote)
    await serves_again(store)
    assert not await store.trouble()


async def test_connections_that_the_server_ends_are_made_again(
    store: PostgresStore, superuser: asyncpg.Connection
) -> None:
    await store.members.count(GROUP)
    await superuser.execute(
        """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE application_name = 'webchat' AND datname = current_database()"""
    )
    await serves_again(store)


async def test_locks_of_a_node_that_stopped_are_in_the_way_for_a_bounded_time(
    store: PostgresStore, url: str
) -> None:
    other = PostgresStore(url, PostgresSettings(idle_transaction_timeout_ms=100), LoopClock())
    await other.open("secured")
    locked = asyncio.Event()

    async def stop_in_the_middle(connection: asyncpg.Connection) -> None:
        async with connection.transaction():
            await connection.execute("UPDATE log SET n = n WHERE name = $1", GROUP)
            locked.set()
            await asyncio.Event().wait()

    stopped = asyncio.create_task(other._for_writes.run(stop_in_the_middle))
    await locked.wait()
    assert await outcome(send(store, say("1"))) is None
    stopped.cancel()
    await asyncio.wait([stopped])
    await other.close()


async def test_a_lock_that_nobody_lets_go_of_is_unavailable_until_it_is_free(
    hasty: PostgresStore, superuser: asyncpg.Connection
) -> None:
    async with superuser.transaction():
        await superuser.execute("UPDATE webchat.log SET n = n WHERE name = $1", GROUP)
        assert await outcome(send(hasty, say("1"))) is Code.UNAVAILABLE
    await again(lambda: send(hasty, say("1")))
    entries = await hasty.log.read(GROUP, 0, 9)
    assert [entry.msg_id for entry in entries] == ["", "1"]


async def test_an_id_that_another_log_has_by_now_is_not_written_to(
    store: PostgresStore, superuser: asyncpg.Connection
) -> None:
    """As after a failover to a server that did not have the newest logs yet."""
    assert await outcome(send(store, say("1"))) is None
    await superuser.execute("UPDATE webchat.log SET name = 'group_y' WHERE name = $1", GROUP)
    for number in ("2", "3"):
        of_other = Append("group_y", (message("bob", number),), moves_sender=True)
        asked = [send(store, say(number)), send(store, of_other)]
        assert [await outcome(each) for each in asked] == [None, None]
    said = [entry.msg_id for entry in await store.log.read("group_y", 1, 9)]
    assert said == ["1", "2", "3"]
    entries = await store.log.read(GROUP, 0, 9)
    assert [(entry.seq, entry.sender) for entry in entries] == [(1, "ann"), (2, "ann")]
    assert await store.positions.of_members("group_y", ["ann", "bob"]) == {
        "ann": Position(2, 2, 1), "bob": Position(4, 4, 3)
    }  # fmt: skip


async def test_a_write_that_cannot_be_done_keeps_no_other_from_it(store: PostgresStore) -> None:
    unwritable = Append(GROUP, (message("a\0nn", "x"),))
    asked = [send(store, request) for request in (say("1"), unwritable, say("2"))]
    codes = [await outcome(each) for each in asked]
    assert codes == [None, Code.BAD_REQUEST, None]
    assert [entry.seq for entry in await store.log.read(GROUP, 0, 9)] == [1, 2, 3]


async def test_a_read_of_what_cannot_be_an_id_is_refused(store: PostgresStore) -> None:
    with pytest.raises(WebchatError) as refusal:
        await store.accounts.profile("a\0nn")
    assert refusal.value.code is Code.BAD_REQUEST
    assert await store.accounts.profile("ann") is None


async def test_beyond_what_may_wait_writes_are_refused(store: PostgresStore) -> None:
    asked = [send(store, say(str(number))) for number in range(110)]
    codes = [await outcome(each) for each in asked]
    assert codes == [None] * 100 + [Code.UNAVAILABLE] * 10
    assert all(isinstance(each.exception(), TooBusyError) for each in asked[100:])
    assert await outcome(send(store, say("200"))) is None


async def test_what_was_queued_is_done_before_the_store_closes(
    store: PostgresStore, url: str
) -> None:
    other = PostgresStore(url, PostgresSettings(), LoopClock())
    await other.open("secured")
    asked = [send(other, say(str(number))) for number in range(20)]
    await other.close()
    assert [await outcome(each) for each in asked] == [None] * 20
    assert await outcome(send(other, say("late"))) is Code.UNAVAILABLE


async def test_a_node_killed_between_any_two_writes_leaves_nothing_half_done(
    store: PostgresStore, url: str, superuser: asyncpg.Connection
) -> None:
    for round_name in ("r1", "r2", "r3"):
        told = kill_in_the_middle(url, round_name)
        rows = await superuser.fetch(
            "SELECT name FROM webchat.log WHERE last > 0 AND name LIKE $1", f"dm:{round_name}.%"
        )
        made = [row["name"] for row in rows]
        assert told <= set(made)
        for conv in made:
            await check_pair(store, conv)
    assert await outcome(send(store, to_pair("ann", "bob", "1"))) is None


def kill_in_the_middle(url: str, round_name: str) -> set[str]:
    """The pairs that a node said were durable before it was killed."""
    command = [sys.executable, "-m", "tests.contract.append_pairs_forever", url, round_name]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as node:
        assert node.stdout is not None
        told = [node.stdout.readline().strip() for _ in range(45)]
        os.kill(node.pid, signal.SIGKILL)
        told += node.stdout.read().splitlines()[:-1]
    assert all(told)
    return set(told)


async def check_pair(store: PostgresStore, conv: str) -> None:
    """Both are in it, once, with their positions, and were told."""
    people = pair_of(conv)
    assert people is not None
    assert await store.members.count(conv) == 2
    assert set(await store.positions.of_members(conv, people)) == set(people)
    for uid in people:
        assert [each.conv for each in await store.members.of_user(uid)] == [conv]
        (entry,) = await store.log.read(user_log(uid), 0, 9)
        assert entry.msg_id == f"{conv}:1"

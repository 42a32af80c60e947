"""How a PostgreSQL store is made ready, opened and refused, in words for people."""

from __future__ import annotations

import socket

import asyncpg
import pytest

from tests.contract.asking import create, send
from tests.engines.postgresql import PASSWORD, shared_server
from tests.memory import ManualClock
from webchat.adapters.postgresql import PostgresSettings, PostgresStore, masked
from webchat.adapters.postgresql.schema import VERSION, version
from webchat.ports.store import StoreRefused

SETTINGS = PostgresSettings(connect_timeout_ms=500)


@pytest.fixture
def url() -> str:
    return shared_server().new_database()


@pytest.fixture
def store(url: str, clock: ManualClock) -> PostgresStore:
    return PostgresStore(url, SETTINGS, clock)


async def reason(store: PostgresStore) -> str:
    """Why the store does not open; never with the password in it."""
    with pytest.raises(StoreRefused) as refusal:
        await store.open("secured")
    assert "s3cret" not in str(refusal.value)
    return str(refusal.value)


async def in_database(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def test_what_is_kept_is_there_when_opened_again(
    store: PostgresStore, url: str, clock: ManualClock
) -> None:
    await store.init()
    await store.open("secured")
    outcome = await send(store, create("group_x", "ann", "bob"))
    await store.close()
    again = PostgresStore(url, SETTINGS, clock)
    await again.init()
    await again.open("secured")
    assert await again.log.read("group_x", 0, 9) == list(outcome.entries)
    await again.close()


async def test_a_database_without_a_store_says_how_to_make_one(store: PostgresStore) -> None:
    assert "webchat store init" in await reason(store)


async def test_the_other_mode_is_refused(
    store: PostgresStore, url: str, clock: ManualClock
) -> None:
    await store.init()
    await store.open("open")
    await store.close()
    told = await reason(PostgresStore(url, SETTINGS, clock))
    assert "was made in open mode" in told


async def test_a_newer_schema_is_refused(store: PostgresStore, url: str) -> None:
    await store.init()
    await in_database(url, "UPDATE webchat.property SET value = '99' WHERE name = 'version'")
    assert "newer webchat (schema 99" in await reason(store)
    with pytest.raises(StoreRefused, match="newer webchat"):
        await store.init()


async def test_a_database_that_is_ready_for_the_next_version_is_still_served_and_says_so(
    store: PostgresStore, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    await store.init()
    one_more = "UPDATE webchat.property SET value = value::int + 1 WHERE name = 'version'"
    await in_database(url, one_more)
    await store.init()
    await store.open("secured")
    (entry,) = (await send(store, create("group_x", "ann", "bob"))).entries
    assert await store.log.read("group_x", 0, 9) == [entry]
    await store.close()
    assert "ready for the next version" in caplog.text
    connection = await asyncpg.connect(url)
    assert await version(connection) == VERSION + 1
    await connection.close()


async def test_an_older_schema_says_how_to_bring_it_up_to_date(
    store: PostgresStore, url: str
) -> None:
    await store.init()
    await in_database(url, "UPDATE webchat.property SET value = '0' WHERE name = 'version'")
    assert "webchat store init" in await reason(store)


async def test_a_table_that_a_dump_reads_is_not_waited_for_long(
    store: PostgresStore, url: str
) -> None:
    await store.init()
    older = """
        ALTER TABLE webchat.invite_link DROP COLUMN visits;
        ALTER TABLE webchat.invitation DROP COLUMN claimed;
        UPDATE webchat.property SET value = '1' WHERE name = 'version'"""
    await in_database(url, older)
    dump = await asyncpg.connect(url)
    async with dump.transaction():
        await dump.execute("LOCK TABLE webchat.invite_link IN ACCESS SHARE MODE")
        with pytest.raises(StoreRefused, match="in use, as by pg_dump or an export"):
            await store.init()
    await dump.close()
    await store.init()
    await store.open("secured")
    await store.close()


async def test_a_wrong_password_is_said_and_not_shown(clock: ManualClock) -> None:
    url = shared_server().url(password="s3cret-but-wrong")
    told = await reason(PostgresStore(url, SETTINGS, clock))
    assert "check user and password" in told
    assert "webchat:***@127.0.0.1" in told


async def test_a_database_that_is_not_there_is_said(clock: ManualClock) -> None:
    told = await reason(PostgresStore(shared_server().url("nowhere"), SETTINGS, clock))
    assert '"nowhere" does not exist' in told


async def test_a_server_that_is_not_there_is_said(clock: ManualClock) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"postgresql://webchat:s3cret@127.0.0.1:{taken.getsockname()[1]}/x"
        assert "cannot be reached" in await reason(PostgresStore(url, SETTINGS, clock))


async def test_a_file_beside_the_url_that_cannot_be_read_is_named(
    url: str, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = f"/{'x' * 300}"
    monkeypatch.setenv("HOME", home)
    told = await reason(PostgresStore(url, SETTINGS, clock))
    assert f"{home}/.postgresql/postgresql.key cannot be read (File name too long)" in told


async def test_a_server_that_says_nothing_is_given_up(clock: ManualClock) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        url = f"postgresql://webchat:s3cret@127.0.0.1:{mute.getsockname()[1]}/x"
        told = await reason(PostgresStore(url, SETTINGS, clock))
        assert "does not answer in time" in told


async def test_a_server_without_tls_is_refused_where_tls_is_asked_for(
    url: str, clock: ManualClock
) -> None:
    told = await reason(PostgresStore(f"{url}?sslmode=require", SETTINGS, clock))
    assert "SSL" in told


@pytest.mark.parametrize("url", ["postgresql://[", "postgresql://u:s3cret@h:port/x", "mysql://h/x"])
async def test_a_url_that_is_none_is_refused(url: str, clock: ManualClock) -> None:
    assert "URL" in await reason(PostgresStore(url, SETTINGS, clock))


async def test_a_database_in_another_encoding_is_refused(url: str, clock: ManualClock) -> None:
    await in_database(url, "CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    store = PostgresStore(shared_server().url("latin"), SETTINGS, clock)
    with pytest.raises(StoreRefused, match="UTF8"):
        await store.init()


async def test_a_user_who_may_not_make_tables_is_told_so(url: str, clock: ManualClock) -> None:
    await in_database(url, "CREATE ROLE guest LOGIN PASSWORD 's3cret'")
    password = url.split(":")[2].split("@")[0]
    guest = url.replace("webchat:", "guest:", 1).replace(password, "s3cret")
    store = PostgresStore(guest, SETTINGS, clock)
    with pytest.raises(StoreRefused, match="may not"):
        await store.init()


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://ann@h/x", "postgresql://ann@h/x"),
        ("postgresql://ann:pw@h:5/x?sslmode=require", "postgresql://ann:***@h:5/x?sslmode=require"),
        ("postgresql://h/x?user=ann&password=pw", "postgresql://h/x?user=ann&password=***"),
        ("postgresql://a:p@w@h1:1,h2:2/x", "postgresql://a:***@h1:1,h2:2/x"),
    ],
)
def test_a_password_is_not_shown(url: str, shown: str) -> None:
    assert masked(url) == shown
    assert PASSWORD not in masked(shared_server().url())

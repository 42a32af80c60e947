"""Opening a DynamoDB store, what is refused and in which words, and its engine dying under it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from tests.contract.asking import send, to_pair
from tests.contract.dynamodb_nodes import FaultyTable, Node
from tests.contract.plain_table import PlainTable
from tests.engines.dynamodb import DynamoServer, have_credentials, shared_server
from tests.ports import free_port
from webchat.adapters.dynamodb import DynamoSettings, DynamoStore, keys
from webchat.adapters.dynamodb.client import DynamoTable
from webchat.adapters.dynamodb.store import VERSION
from webchat.adapters.dynamodb.table import ANY, Failed, Item, Key, Span
from webchat.adapters.memory import LoopClock
from webchat.errors import Code, WebchatError
from webchat.model import pair_conv
from webchat.ports.store import Mode, StoreRefused

CONV = pair_conv("ann", "bob")


@pytest.fixture
def settings() -> DynamoSettings:
    """A table that does not exist yet."""
    server = shared_server()
    return DynamoSettings("eu-west-1", server.new_table(), server.endpoint)


async def refused(settings: DynamoSettings, mode: Mode = "secured") -> str:
    store = DynamoStore(settings, LoopClock())
    with pytest.raises(StoreRefused) as refusal:
        await store.open(mode)
    return str(refusal.value)


async def made(settings: DynamoSettings, mode: Mode = "secured") -> DynamoStore:
    store = DynamoStore(settings, LoopClock())
    await store.init()
    await store.open(mode)
    return store


async def made_by(settings: DynamoSettings, version: int) -> None:
    """A table of this schema."""
    store = await made(settings)
    item: Item = {"pk": keys.META, "sk": "schema", "ver": version, "mode": "secured"}
    await store.client.put(item, ANY)
    await store.close()


async def test_a_table_that_does_not_exist_is_named_with_what_to_run(
    settings: DynamoSettings,
) -> None:
    said = await refused(settings)
    assert f"the DynamoDB table {settings.table} in eu-west-1" in said
    url = f"dynamodb://eu-west-1/{settings.table}?endpoint={settings.endpoint}"
    assert f"run webchat store init --store {url}" in said


async def test_an_address_where_nobody_listens_is_refused(settings: DynamoSettings) -> None:
    endpoint = f"http://user:secret@127.0.0.1:{free_port()}"
    said = await refused(replace(settings, endpoint=endpoint))
    assert "cannot be reached" in said
    assert "secret" not in said


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("text/html", b"<p>Log in"),
        ("text/html", b"<p>M\xfcnchen"),
        ("application/json", b"{}"),
        ("application/json", b"[]"),
        ("", b""),
    ],
)
async def test_what_another_answers_is_no_answer(
    settings: DynamoSettings, kind: str, body: bytes
) -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nConnection: close\r\n"

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = (await reader.readuntil(b"\r\n\r\n")).lower()
        await reader.readexactly(int(asked.partition(b"content-length:")[2].split()[0]))
        writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
        writer.close()
        await writer.wait_closed()

    port = free_port()
    async with await asyncio.start_server(answer, "127.0.0.1", port):
        there = replace(settings, endpoint=f"http://127.0.0.1:{port}", retry_within_ms=1)
        assert "cannot be reached: what answers is not DynamoDB" in await refused(there)
        table = DynamoTable(there)
        await table.open()
        for asked in (
            table.get(Key("a", "b")),
            table.put({"pk": "a", "sk": "b"}, ANY),
            table.query(Span("a", "b", "c"), 1),
        ):
            with pytest.raises(Failed, match="not DynamoDB") as failure:
                await asked
            assert failure.value.may_help
        await table.close()


async def test_a_request_waits_for_a_connection_no_longer_than_for_its_answer() -> None:
    have_credentials()
    asked = 0

    async def never_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        await reader.read()
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(never_answer, "127.0.0.1", 0) as silent:
        endpoint = f"http://127.0.0.1:{silent.sockets[0].getsockname()[1]}"
        few = DynamoSettings("eu-west-1", "t", endpoint, attempt_timeout_ms=200, connections=1)
        table = DynamoTable(few)
        await table.open()
        gets = [table.get(Key("a", str(number))) for number in range(20)]
        for outcome in await asyncio.gather(*gets, return_exceptions=True):
            assert isinstance(outcome, Failed)
            assert outcome.may_help
        await table.close()
    assert asked < 5


async def test_no_credentials_are_refused(
    settings: DynamoSettings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    assert "credentials" in await refused(settings)


async def test_making_it_twice_changes_nothing(settings: DynamoSettings) -> None:
    store = await made(settings)
    await send(store, to_pair("ann", "bob", "1"))
    await store.close()
    await DynamoStore(settings, LoopClock()).init()
    again = await made(settings)
    assert len(await again.log.read(CONV, 0, 9)) == 1
    await again.close()


async def test_it_keeps_the_mode_it_was_made_in(settings: DynamoSettings) -> None:
    await (await made(settings, "open")).close()
    said = await refused(settings, "secured")
    assert "was made in open mode" in said
    assert "start it with --open" in said


@pytest.mark.parametrize(("version", "words"), [(VERSION + 2, "newer webchat"), (0, "older than")])
async def test_another_schema_is_refused(
    settings: DynamoSettings, version: int, words: str
) -> None:
    await made_by(settings, version)
    assert words in await refused(settings)


async def test_a_table_of_the_next_schema_is_still_served_and_says_so(
    settings: DynamoSettings, caplog: pytest.LogCaptureFixture
) -> None:
    await made_by(settings, VERSION + 1)
    store = await made(settings)
    await send(store, to_pair("ann", "bob", "1"))
    assert len(await store.log.read(CONV, 0, 9)) == 1
    await store.close()
    assert "ready for the next version" in caplog.text
    assert "was made in secured mode" in await refused(settings, "open")


async def test_somebody_elses_table_is_refused(settings: DynamoSettings) -> None:
    store = DynamoStore(settings, LoopClock())
    await store.client.open()
    await store.client.raw.create_table(
        TableName=settings.table,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    )
    await store.client.close()
    await store.init()
    assert "not one of webchat's" in await refused(settings)


async def test_what_was_acked_survives_the_engines_death(tmp_path: Path) -> None:
    with DynamoServer(tmp_path) as server:
        settings = DynamoSettings(
            "eu-west-1", server.new_table(), server.endpoint, retry_within_ms=300, pause_ms=10
        )
        store = await made(settings)
        acked: set[str] = set()
        grown = asyncio.Event()

        async def talk(name: str) -> None:
            for number in range(40):
                msg_id = f"{name}{number}"
                while msg_id not in acked:
                    try:
                        await send(store, to_pair("ann", "bob", msg_id))
                    except WebchatError as error:
                        if error.code is not Code.UNAVAILABLE:
                            raise
                    else:
                        acked.add(msg_id)
                        grown.set()

        talks = [asyncio.create_task(talk(name)) for name in "abc"]
        for _ in range(2):
            before = len(acked)
            while len(acked) < min(before + 20, 110):
                grown.clear()
                await asyncio.wait_for(grown.wait(), 30)
            server.kill()
            await asyncio.to_thread(server.start)
        await asyncio.gather(*talks)
        log = [entry.msg_id for entry in await store.log.read(CONV, 0, 1_000)]
        assert sorted(log) == sorted(acked)
        assert len(log) == 120
        await store.close()


async def test_a_store_that_does_not_answer_says_so_until_it_does(tmp_path: Path) -> None:
    with DynamoServer(tmp_path) as server:
        settings = DynamoSettings(
            "eu-west-1", server.new_table(), server.endpoint, retry_within_ms=50, pause_ms=10
        )
        store = await made(settings)
        assert await store.trouble() == ""
        server.kill()
        assert "not answering" in await store.trouble()
        with pytest.raises(WebchatError):
            await store.accounts.profile("ann")
        server.start()
        assert await store.trouble() == ""
        await store.close()


async def test_a_table_that_is_read_and_takes_no_writes_is_trouble_until_it_takes_them() -> None:
    node = Node(FaultyTable(PlainTable()), DynamoSettings("nowhere", "none"), LoopClock())
    await node.take_mode("secured", "the table")

    async def refuse(_: Item) -> None:
        raise Failed("PutItem: AccessDeniedException", may_help=False)

    node.faulty.before_put = refuse
    for number in range(2):
        with pytest.raises(WebchatError):
            await send(node, to_pair("ann", "bob", str(number)))
        assert "AccessDenied" in await node.trouble()
    node.faulty.before_put = None
    assert await node.trouble() == ""
    await send(node, to_pair("ann", "bob", "1"))
    before = node.faulty.puts.copy()
    assert await node.trouble() == ""
    assert node.faulty.puts == before
    await node.close()

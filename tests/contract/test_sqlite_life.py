"""The life of an SQLite store: opened, served by one, refused with words, reopened, killed."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.contract.asking import create, message, move, named, send, to_pair
from tests.contract.older_file import OLDER, make_older, version_of
from tests.memory import ManualClock
from webchat.adapters.sqlite import SqliteSettings, SqliteStore, check
from webchat.adapters.sqlite.files import ServeLock, connect_all, refusing
from webchat.errors import Code, WebchatError
from webchat.model import Group, Login, Position, Profile
from webchat.ports.held import HeldLimits
from webchat.ports.log import Append
from webchat.ports.positions import Move
from webchat.ports.store import Mode, StoreRefused

ROOT = Path(__file__).parents[2]
ANN = Profile("ann", "Ann", "", True, "everybody", False)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "webchat.db"


@pytest.fixture
def serving(path: Path, clock: ManualClock) -> SqliteStore:
    return SqliteStore(path, SqliteSettings(), clock)


@pytest.fixture
def tool(path: Path, clock: ManualClock) -> SqliteStore:
    return SqliteStore.beside(path, SqliteSettings(), clock)


async def test_everything_is_there_after_reopening(serving: SqliteStore) -> None:
    await serving.open("secured")
    made = await send(serving, create("group_x", "ann", "bob"))
    sent = await send(serving, Append("group_x", (message("ann", "1"),)))
    await move(serving, Move("group_x", "bob", 2, 2))
    await serving.accounts.create(ANN, "hash", 1)
    await serving.logins.add(b"t", Login("l", "ann", 1, 1, 2))
    await serving.kept.keep("ann", [b"{}"], newest=9)
    await serving.held.hold("group_y", message("ann", "h"), 1, HeldLimits())
    await send(serving, named(Group("group_z", "Z"), "ann"))
    await serving.close()

    await serving.open("secured")
    assert await serving.log.read("group_x", 0, 9) == [*made.entries, *sent.entries]
    assert await serving.members.count("group_x") == 2
    assert await serving.positions.of_user("bob", ["group_x"]) == {"group_x": Position(2, 2, 1)}
    assert await serving.accounts.password_hash("ann") == "hash"
    assert await serving.logins.find(b"t") == Login("l", "ann", 1, 1, 2)
    assert await serving.kept.take("ann", 9) == [b"{}"]
    assert [held.draft for held in await serving.held.of_user("ann", 0)] == [message("ann", "h")]
    assert await serving.members.group("group_z") == Group("group_z", "Z")
    next_one = await send(serving, Append("group_x", (message("ann", "2"),), members_as_of=1))
    assert (next_one.entries[0].seq, next_one.entries[0].n) == (3, 2)
    await serving.close()


async def test_closing_finishes_what_is_queued_and_refuses_what_comes_after(
    serving: SqliteStore,
) -> None:
    await serving.open("secured")
    asked = [send(serving, to_pair("ann", "bob", str(number))) for number in range(50)]
    await serving.close()
    outcomes = await asyncio.gather(*asked)
    assert [outcome.entries[0].seq for outcome in outcomes] == list(range(1, 51))
    with pytest.raises(WebchatError) as refusal:
        await send(serving, to_pair("ann", "bob", "late"))
    assert refusal.value.code is Code.UNAVAILABLE
    with pytest.raises(WebchatError):
        await serving.log.read("dm:ann:bob", 0, 1)
    assert await serving.trouble()


async def test_files_are_their_owners_alone(path: Path, serving: SqliteStore) -> None:
    await serving.open("secured")
    await send(serving, to_pair("ann", "bob", "1"))
    modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert "webchat.db-wal" in modes
    assert set(modes.values()) == {0o600}
    await serving.close()


async def test_no_connection_needs_a_place_for_files_but_beside_the_store(
    path: Path, serving: SqliteStore
) -> None:
    await serving.open("secured")
    await serving.close()
    for db in connect_all(path, SqliteSettings()):
        with closing(db):
            assert db.execute("PRAGMA temp_store").fetchone() == (2,)  # in memory


async def test_one_process_serves_a_file(
    path: Path, serving: SqliteStore, clock: ManualClock
) -> None:
    await serving.open("secured")
    second = SqliteStore(path, SqliteSettings(), clock)
    with pytest.raises(StoreRefused, match=rf"served by another process \(pid {os.getpid()}\)"):
        await second.open("secured")
    await serving.close()
    await second.open("secured")
    await second.close()


@pytest.mark.parametrize("first", ["the file", "a link"])
async def test_one_process_serves_a_file_by_whatever_name(
    path: Path, tmp_path: Path, clock: ManualClock, first: str
) -> None:
    link = tmp_path / "link.db"
    link.symlink_to(path)
    path.parent.mkdir()
    names = (path, link) if first == "the file" else (link, path)
    one, other = (SqliteStore(name, SqliteSettings(), clock) for name in names)
    await one.open("secured")
    with pytest.raises(StoreRefused, match="served by another process"):
        await other.open("secured")
    await one.close()
    await other.open("secured")
    await other.close()


async def test_a_tool_beside_a_server_changes_accounts_and_is_noticed(
    serving: SqliteStore, tool: SqliteStore
) -> None:
    await serving.open("secured")
    await tool.open("secured")
    await tool.accounts.create(ANN, "hash", 1)
    assert await serving.accounts.profile("ann") == ANN
    seen, _ = await serving.logins.revocations(None)
    await tool.logins.revoke_all("ann")
    _, told = await serving.logins.revocations(seen)
    assert [each.uid for each in told] == ["ann"]
    await tool.close()
    await serving.close()


async def test_a_log_written_by_two_processes_has_no_gap(
    serving: SqliteStore, tool: SqliteStore
) -> None:
    await serving.open("secured")
    await tool.open("secured")
    for number in range(6):
        store = (serving, tool)[number % 2]
        outcome = await send(store, to_pair("ann", "bob", str(number)))
        assert outcome.entries[0].seq == number + 1
    await tool.close()
    await serving.close()


async def test_a_file_that_an_older_server_serves_is_left_to_it(
    path: Path, tool: SqliteStore, serving: SqliteStore
) -> None:
    make_older(path)
    older = ServeLock(path)
    words = rf"is older than this webchat.*\(pid {os.getpid()}\): restart that one first"
    with pytest.raises(StoreRefused, match=words):
        await tool.init()
    with pytest.raises(StoreRefused, match=r"is older than this webchat: .*webchat serve"):
        await tool.open("secured")
    older.release()
    assert version_of(path) == OLDER
    await serving.open("secured")
    await tool.open("secured")
    await tool.close()
    await serving.close()


async def test_a_tool_can_make_the_file(serving: SqliteStore, tool: SqliteStore) -> None:
    await tool.open("secured")
    await tool.accounts.create(ANN, "hash", 1)
    await tool.close()
    await serving.open("secured")
    assert await serving.accounts.profile("ann") == ANN
    await serving.close()


@pytest.mark.parametrize(
    ("made", "other", "flag"),
    [("open", "secured", "with --open"), ("secured", "open", "without --open")],
)
async def test_a_store_keeps_its_mode(
    serving: SqliteStore, made: Mode, other: Mode, flag: str
) -> None:
    await serving.open(made)
    await serving.close()
    with pytest.raises(StoreRefused, match=f"made in {made} mode.*{flag}"):
        await serving.open(other)
    await serving.open(made)
    await serving.close()


async def test_a_newer_file_is_refused(path: Path, serving: SqliteStore) -> None:
    await serving.open("secured")
    await serving.close()
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 99")
    with pytest.raises(StoreRefused, match=r"newer webchat \(schema 99"):
        await serving.open("secured")
    with pytest.raises(StoreRefused, match="newer webchat"):
        check(path)


async def test_a_file_that_is_no_database_is_refused(path: Path, serving: SqliteStore) -> None:
    write(path, b"not a database at all" * 100)
    with pytest.raises(StoreRefused, match="file is not a database"):
        await serving.open("secured")


async def test_another_programs_database_is_refused(path: Path, serving: SqliteStore) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE theirs (id)")
    with pytest.raises(StoreRefused, match="database of another program"):
        await serving.open("secured")


async def test_a_place_that_cannot_be_written_is_refused(
    tmp_path: Path, clock: ManualClock
) -> None:
    (tmp_path / "file").touch()
    store = SqliteStore(tmp_path / "file" / "webchat.db", SqliteSettings(), clock)
    with pytest.raises(StoreRefused, match="cannot be used"):
        await store.open("secured")
    store = SqliteStore(tmp_path, SqliteSettings(), clock)
    with pytest.raises(StoreRefused, match="cannot be used: Is a directory"):
        await store.open("secured")


async def test_a_refused_open_leaves_the_file_to_others(
    path: Path, serving: SqliteStore, clock: ManualClock
) -> None:
    await serving.open("open")
    await serving.close()
    with pytest.raises(StoreRefused):
        await serving.open("secured")
    other = SqliteStore(path, SqliteSettings(), clock)
    await other.open("open")
    await other.close()


def write(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)


@pytest.mark.kill
async def test_a_killed_process_loses_nothing_that_it_was_told(
    path: Path, serving: SqliteStore
) -> None:
    told = [line for kill in range(3) for line in told_until_killed(path, f"k{kill}", 100)]
    assert check(path) == []
    await serving.open("secured")
    entries = await serving.log.read("dm:ann:bob", 0, len(told) + 10_000)
    await serving.close()
    kept = {entry.msg_id: entry.seq for entry in entries}
    assert [line for line in told if kept.get(line[0]) != line[1]] == []


def told_until_killed(path: Path, round_name: str, at_least: int) -> list[tuple[str, int]]:
    """What a process that appends was told before it was killed in the middle of it."""
    command = [sys.executable, "-m", "tests.contract.append_forever", str(path), round_name]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(at_least)]
        process.send_signal(signal.SIGKILL)
        lines += process.stdout.readlines()
    told = [line.split() for line in lines if line.endswith("\n")]
    assert len(told) >= at_least
    return [(msg_id, int(seq)) for msg_id, seq in told]


def test_a_disk_without_room_is_the_reason_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = os.statvfs_result((4096, 4096, 1_000, 0, 0, 100, 100, 100, 0, 255))
    monkeypatch.setattr(os, "statvfs", lambda _: full)
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR_SHMSIZE
    with pytest.raises(StoreRefused, match="disk I/O error: no space is left"), refusing(tmp_path):
        raise error
    with pytest.raises(StoreRefused, match=r"no such table$"), refusing(tmp_path):
        raise sqlite3.OperationalError("no such table")

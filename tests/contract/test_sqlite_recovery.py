"""A backup put where an SQLite store is: nothing of the old one gets into it, nothing is lost."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.contract.asking import create, message, send
from tests.memory import ManualClock
from webchat.adapters.sqlite import SqliteSettings, SqliteStore, backup, check, restore
from webchat.adapters.sqlite.files import existing
from webchat.ports.log import Append
from webchat.ports.store import StoreRefused

KEPT = ".before"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the store is that is put back."""
    return tmp_path / "data" / "webchat.db"


@pytest.fixture
async def killed(path: Path, tmp_path: Path, clock: ManualClock) -> AsyncIterator[Path]:
    """A backup of the store at `path`, whose server wrote on after it and was killed: what it wrote
    is in the file beside the store alone."""
    served = SqliteStore(tmp_path / "served" / "webchat.db", SqliteSettings(), clock)
    await served.open("secured")
    await send(served, create("group_x", "ann", "bob"))
    copy = tmp_path / "copy.db"
    backup(tmp_path / "served" / "webchat.db", copy)
    for number in range(50):
        await send(served, Append("group_x", (message("ann", str(number), "x" * 900),)))
    shutil.copytree(tmp_path / "served", path.parent)
    yield copy
    await served.close()


async def seqs(path: Path, clock: ManualClock) -> list[int]:
    store = SqliteStore(path, SqliteSettings(), clock)
    await store.open("secured")
    entries = await store.log.read("group_x", 0, 99)
    await store.close()
    return [entry.seq for entry in entries]


def names_in(directory: Path) -> set[str]:
    return {each.name for each in directory.iterdir()}


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def contents(directory: Path) -> dict[str, bytes]:
    """All but who served it last."""
    return {each.name: each.read_bytes() for each in directory.iterdir() if each.suffix != ".lock"}


async def test_what_a_killed_server_left_stays_with_what_was_there(
    killed: Path, path: Path, clock: ManualClock
) -> None:
    aside = restore(killed, path, KEPT)
    assert aside == path.with_name("webchat.db.before")
    assert names_in(path.parent) == {"webchat.db", "webchat.db.lock"} | {
        f"webchat.db.before{suffix}" for suffix in ("", "-wal", "-shm")
    }
    assert mode_of(path) == 0o600
    assert check(path) == []
    assert await seqs(path, clock) == [1]
    assert await seqs(aside, clock) == list(range(1, 52))


async def test_what_was_there_can_be_put_back_with_what_is_beside_it(
    killed: Path, path: Path, clock: ManualClock
) -> None:
    aside = restore(killed, path, KEPT)
    assert aside is not None
    restore(aside, path, ".again")
    assert await seqs(path, clock) == list(range(1, 52))


def test_the_backup_is_left_as_it_is(killed: Path, path: Path) -> None:
    before, beside = killed.read_bytes(), names_in(killed.parent)
    restore(killed, path, KEPT)
    assert killed.read_bytes() == before
    assert names_in(killed.parent) == beside


async def test_where_nothing_was_there_is_the_store_then(
    killed: Path, tmp_path: Path, clock: ManualClock
) -> None:
    target = tmp_path / "other" / "webchat.db"
    assert restore(killed, target, KEPT) is None
    assert mode_of(target.parent) == 0o700
    assert await seqs(target, clock) == [1]


async def test_a_journal_without_its_store_does_not_get_into_the_copy(
    killed: Path, path: Path, clock: ManualClock
) -> None:
    remove(path)
    restore(killed, path, KEPT)
    assert await seqs(path, clock) == [1]
    assert "webchat.db.before-wal" in names_in(path.parent)


async def test_where_a_link_leads_is_the_store_replaced(
    killed: Path, path: Path, tmp_path: Path, clock: ManualClock
) -> None:
    link = tmp_path / "link.db"
    link.symlink_to(path)
    assert restore(killed, link, KEPT) == path.with_name("webchat.db.before")
    assert link.is_symlink()
    assert await seqs(path, clock) == [1]


DYING = """
import os, sys
from pathlib import Path
from webchat.adapters.sqlite import restore
left = int(sys.argv[1])
def die(event, _):
    global left
    left -= event in {"os.link", "os.remove", "os.rename"}
    if left < 0:
        os._exit(9)
sys.addaudithook(die)
restore(Path(sys.argv[2]), Path(sys.argv[3]), ".died")
"""


@pytest.mark.parametrize("steps", range(7))
async def test_where_it_died_what_was_there_is_whole_and_it_can_be_done_again(
    killed: Path, path: Path, steps: int, clock: ManualClock
) -> None:
    words = [sys.executable, "-c", DYING, str(steps), str(killed), str(path)]
    died = await asyncio.to_thread(subprocess.run, words, check=False)
    assert died.returncode == 9
    restore(killed, path, KEPT)
    assert await seqs(path, clock) == [1]
    wholes = [
        name
        for name in ("webchat.db.died", "webchat.db.before")
        if name in names_in(path.parent)
        and await seqs(path.with_name(name), clock) == list(range(1, 52))
    ]
    assert wholes


@pytest.mark.parametrize(("served", "target"), [(0, 0), (0, 1), (1, 0)])
async def test_a_store_that_is_served_is_left_alone(
    killed: Path, path: Path, tmp_path: Path, clock: ManualClock, served: int, target: int
) -> None:
    link = tmp_path / "link.db"
    link.symlink_to(path)
    names = (path, link)
    store = SqliteStore(names[served], SqliteSettings(), clock)
    await store.open("secured")
    with pytest.raises(StoreRefused, match="is served by another process"):
        restore(killed, names[target], KEPT)
    await store.close()
    assert await seqs(path, clock) == list(range(1, 52))


def remove(path: Path) -> None:
    path.unlink()


def truncated(copy: Path) -> None:
    copy.write_bytes(copy.read_bytes()[: 5 * 4_096])


def emptied(copy: Path) -> None:
    copy.write_bytes(b"")


def of_text(copy: Path) -> None:
    copy.write_text('{"type":"webchat"}\n' * 100)


def without_a_table(copy: Path) -> None:
    with closing(sqlite3.connect(copy)) as db:
        db.execute("DROP TABLE held_message")


def newer(copy: Path) -> None:
    with closing(sqlite3.connect(copy)) as db:
        db.execute("PRAGMA user_version = 99")


def of_another_program(copy: Path) -> None:
    with closing(sqlite3.connect(copy)) as db:
        db.execute("PRAGMA application_id = 1")


def without_tables(copy: Path) -> None:
    copy.unlink()
    with closing(sqlite3.connect(copy)) as db:
        db.execute("PRAGMA journal_mode = WAL")


@pytest.mark.parametrize(
    ("harm", "words"),
    [
        (remove, "there is no store at"),
        (emptied, "is empty"),
        (without_tables, "is empty"),
        (of_text, "file is not a database"),
        (truncated, "malformed"),
        (without_a_table, "lacks held_message"),
        (newer, "was written by a newer webchat"),
        (of_another_program, "is a database of another program"),
    ],
)
async def test_what_is_no_sound_backup_is_refused_and_changes_nothing(
    killed: Path, path: Path, harm: Callable[[Path], object], words: str, clock: ManualClock
) -> None:
    harm(killed)
    before = contents(path.parent)
    with pytest.raises(StoreRefused, match=words) as refused:
        restore(killed, path, KEPT)
    assert str(killed) in str(refused.value)
    assert contents(path.parent) == before
    assert await seqs(path, clock) == list(range(1, 52))


async def test_what_was_restored_can_be_served_while_somebody_reads_it(
    killed: Path, path: Path, clock: ManualClock
) -> None:
    restore(killed, path, KEPT)
    with existing(path) as db:
        db.execute("SELECT count(*) FROM entry").fetchone()
        assert await seqs(path, clock) == [1]


async def test_an_older_backup_is_taken(killed: Path, path: Path, clock: ManualClock) -> None:
    with closing(sqlite3.connect(killed)) as db:
        db.execute("DROP INDEX account_recent")
        db.execute("ALTER TABLE account RENAME COLUMN saved_at TO created_at")
        db.execute("DROP TABLE key_journal")
        db.execute("ALTER TABLE invite_link DROP COLUMN visits")
        db.execute("ALTER TABLE invitation DROP COLUMN claimed")
        db.execute("PRAGMA user_version = 3")
    restore(killed, path, KEPT)
    assert await seqs(path, clock) == [1]


@pytest.fixture
def _may_give_files_away(monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may. For anybody else the system is one that says afterwards that they did."""
    if os.geteuid() == 0:
        return
    owners: dict[int, tuple[int, int]] = {}
    stat_of = os.stat

    def give(place: Path, uid: int, gid: int) -> None:
        owners[stat_of(place).st_ino] = uid, gid

    def look(place: Path, **how: bool) -> os.stat_result:
        found = stat_of(place, **how)
        owner = owners.get(found.st_ino)
        return os.stat_result((*found[:4], *owner, *found[6:])) if owner else found

    monkeypatch.setattr(os, "chown", give)
    monkeypatch.setattr(os, "stat", look)


@pytest.mark.usefixtures("_may_give_files_away")
def test_the_store_keeps_its_owner(killed: Path, path: Path) -> None:
    os.chown(path, 12_345, 12_345)
    restore(killed, path, KEPT)
    assert (path.stat().st_uid, path.stat().st_gid) == (12_345, 12_345)


@pytest.mark.usefixtures("_may_give_files_away")
@pytest.mark.parametrize("is_there", [False, True], ids=["missing", "there"])
async def test_what_root_restores_belongs_to_who_serves_it(
    killed: Path, path: Path, is_there: bool
) -> None:
    for each in path.parent.iterdir():
        os.chown(each, 1234, 1234)
        if not is_there or each.suffix == ".lock":
            each.unlink()
    os.chown(path.parent, 1234, 1234)
    restore(killed, path, KEPT)
    assert {each.stat().st_uid for each in path.parent.iterdir()} == {1234}

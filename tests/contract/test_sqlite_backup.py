"""Backups of an SQLite store, and the check that finds what is broken."""

from __future__ import annotations

import asyncio
import resource
import sqlite3
import stat
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.contract.asking import (
    create,
    delete,
    depart,
    edit,
    message,
    move,
    named,
    react,
    refer,
    remove,
    send,
    to_pair,
)
from tests.contract.older_file import OLDER, make_older, version_of
from tests.memory import ManualClock
from webchat.adapters.sqlite import SqliteSettings, SqliteStore, backup, check
from webchat.model import Group, Invitation
from webchat.ports.held import HeldLimits
from webchat.ports.log import Append, invite
from webchat.ports.positions import Move
from webchat.ports.store import StoreRefused


@pytest.fixture
async def store(path: Path, clock: ManualClock) -> AsyncIterator[SqliteStore]:
    """A served store with a group whose members came, left and came back, a pair, and a group with
    entries that were changed, somebody who was put out and somebody who is invited."""
    made = SqliteStore(path, SqliteSettings(), clock)
    await made.open("secured")
    await send(made, create("group_x", "ann", "bob", "cid"))
    await send(made, depart("group_x", "bob", since=1))
    await send(made, Append("group_x", (message("ann", "1"),), moves_sender=True))
    await send(made, refer("group_x", "ann", "bob"))
    await send(made, to_pair("ann", "bob", "1"))
    await move(made, Move("group_x", "cid", 3, 3))
    await send(made, named(Group("group_y", "Y"), "ann", "bob"))
    await send(made, Append("group_y", (message("ann", "1"), message("ann", "2"))))
    await send(made, edit("group_y", "ann", 2, "changed"))
    await send(made, delete("group_y", "ann", 3))
    await send(made, react("group_y", "bob", 2, "👍"))
    await send(made, refer("group_y", "ann", "eve"))
    await send(made, remove("group_y", "ann", "eve", since=7))
    await send(made, invite(Invitation("i-1", "group_y", "fay", "ann"), clock.now_ms(), None))
    await made.held.hold("group_none", message("ann", "h"), clock.now_ms(), HeldLimits())
    yield made
    await made.close()


async def test_a_backup_while_others_write_is_of_one_moment(
    store: SqliteStore, path: Path, tmp_path: Path, clock: ManualClock
) -> None:
    for number in range(200):
        await send(store, Append("group_x", (message("cid", f"a{number}", "x" * 900),)))
    target = tmp_path / "copy.db"
    copying = asyncio.create_task(asyncio.to_thread(backup, path, target, pages_per_step=1))
    written = 0
    while not copying.done():
        await send(store, Append("group_x", (message("cid", f"b{written}"),), moves_sender=True))
        written += 1
    await copying
    assert written > 0
    assert check(target) == []
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert [name for name in names_in(tmp_path) if "copy" in name] == ["copy.db"]

    copy = SqliteStore(target, SqliteSettings(), clock)
    await copy.open("secured")
    copied = await copy.log.read("group_x", 0, 10_000)
    assert len(copied) >= 204
    assert copied == await store.log.read("group_x", 0, len(copied))
    await copy.close()


async def test_a_backup_overwrites_nothing(store: SqliteStore, path: Path, tmp_path: Path) -> None:
    target = tmp_path / "copy.db"
    target.write_text("precious")
    with pytest.raises(StoreRefused, match="exists; a backup does not overwrite"):
        backup(path, target)
    assert target.read_text() == "precious"


def test_what_is_not_there_cannot_be_copied_or_checked(path: Path, tmp_path: Path) -> None:
    with pytest.raises(StoreRefused, match="there is no store at"):
        backup(path, tmp_path / "copy.db")
    with pytest.raises(StoreRefused, match="there is no store at"):
        check(path)
    assert list(tmp_path.iterdir()) == []


async def test_a_broken_store_is_not_backed_up(
    store: SqliteStore, path: Path, tmp_path: Path
) -> None:
    await store.close()
    break_it(path, "DELETE FROM entry WHERE seq = 2")
    with pytest.raises(StoreRefused, match="is damaged, so is its copy"):
        backup(path, tmp_path / "copy.db")
    assert [name for name in names_in(tmp_path) if "copy" in name] == []


@pytest.fixture
def older(tmp_path: Path) -> Path:
    """A store of a version before this one."""
    path = tmp_path / "older.db"
    make_older(path)
    return path


async def test_an_older_store_is_backed_up_before_it_is_brought_up_to_date(
    older: Path, tmp_path: Path, clock: ManualClock
) -> None:
    copy = tmp_path / "copy.db"
    backup(older, copy)
    assert (version_of(older), version_of(copy)) == (OLDER, OLDER)
    store = SqliteStore(copy, SqliteSettings(), clock)
    await store.open("secured")
    await store.close()
    assert check(copy) == []


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        ("DROP TABLE member", "is no whole store: it lacks member"),
        ("PRAGMA user_version = 99", "was written by a newer webchat"),
        ("PRAGMA application_id = 1", "is a database of another program"),
    ],
)
def test_what_is_not_backed_up_is_named_as_it_was(
    older: Path, tmp_path: Path, damage: str, words: str
) -> None:
    with closing(sqlite3.connect(older)) as db:
        db.execute(damage)
    with pytest.raises(StoreRefused) as refused:
        backup(older, tmp_path / "copy.db")
    assert str(refused.value).startswith(f"{older} {words}")
    assert [name for name in names_in(tmp_path) if "copy" in name] == []


async def test_of_a_store_with_much_damage_a_backup_tells_the_first_of_it(
    store: SqliteStore, path: Path, tmp_path: Path
) -> None:
    await store.close()
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA writable_schema = ON")
        db.execute("DELETE FROM sqlite_schema WHERE name IN ('journal', 'node', 'reaction')")
        db.commit()
    findings = check(path)
    assert len(findings) > 3
    assert all("\n" not in finding and "***" not in finding for finding in findings)
    with pytest.raises(StoreRefused) as refused:
        backup(path, tmp_path / "copy.db")
    assert str(refused.value).endswith(
        f"its copy: {'; '.join(findings[:3])}; and {len(findings) - 3} more"
    )


async def test_a_backup_makes_no_directory(store: SqliteStore, path: Path, tmp_path: Path) -> None:
    with pytest.raises(StoreRefused, match=r"there is no directory .*unmounted"):
        backup(path, tmp_path / "unmounted" / "copy.db")
    assert not (tmp_path / "unmounted").exists()


async def test_a_full_disk_is_said_of_the_target(
    store: SqliteStore, path: Path, tmp_path: Path
) -> None:
    for number in range(200):
        await send(store, Append("group_x", (message("cid", f"a{number}", "x" * 9_000),)))
    target = tmp_path / "copy.db"
    with files_of_at_most(1_000_000), pytest.raises(StoreRefused, match="db cannot be written"):
        backup(path, target)
    assert [name for name in names_in(tmp_path) if "copy" in name] == []


async def test_a_whole_store_has_no_findings_while_it_is_served(
    store: SqliteStore, path: Path
) -> None:
    assert check(path) == []


def replaced(old: str, new: str) -> str:
    """A statement that changes what envelopes say."""
    envelope = f"CAST(replace(CAST(envelope AS TEXT), '{old}', '{new}') AS BLOB)"
    return f"UPDATE entry SET envelope = {envelope} WHERE instr(envelope, '{old}')"  # noqa: S608


@pytest.mark.parametrize(
    ("damage", "finding"),
    [
        ("DELETE FROM entry WHERE seq = 3", "group_x: 3 entries, from Seq 1 to 4: there is a gap"),
        ("DELETE FROM entry WHERE seq = 1", "group_x: 3 entries, from Seq 2 to 4: there is a gap"),
        ("UPDATE entry SET n = 7 WHERE seq = 3", "group_x: N at Seq 3 is 7, but 1 messages lie"),
        (
            """INSERT INTO entry SELECT NULL, log, 2, 2, at, members_seq, kind, sender, msg_id,
            envelope FROM entry WHERE log = (SELECT id FROM log WHERE name = 'dm:ann:bob')""",
            "dm:ann:bob: the key (ann, 1) was appended 2 times",
        ),
        (
            "DELETE FROM entry_key WHERE entry IN (SELECT id FROM entry WHERE seq = 3 AND n = 1)",
            "group_x: the entry at Seq 3 is not found by its key",
        ),
        (
            "UPDATE entry SET envelope = CAST('{broken' AS BLOB) WHERE seq = 3 AND n = 1",
            "group_x: the entry at Seq 3 is no JSON object",
        ),
        (
            "UPDATE entry SET members_seq = 1 WHERE seq = 3",
            "group_x: the last membership entry at Seq 3 is said to be 1, before it 2",
        ),
        (
            "UPDATE member SET until = 9 WHERE until = 2",
            "group_x: bob is a member from Seq 1 to 9, which the log does not have",
        ),
        (
            "UPDATE member SET until = 4 WHERE until = 2",
            "group_x: the spans of bob from Seq 1 and 4 overlap",
        ),
        (
            "UPDATE log SET members = 5 WHERE name = 'group_x'",
            "group_x: said to have 5 members, but 3 are present",
        ),
        (
            "UPDATE position SET delivered = 9 WHERE uid = 'cid'",
            "group_x: cid stands at delivered 9, displayed 3, but the log ends at 4",
        ),
        (
            "UPDATE position SET n = 0 WHERE uid = 'cid'",
            "group_x: the count of cid at its displayed Seq 3 is 0, but 1 messages lie",
        ),
        (
            "DELETE FROM member WHERE uid = 'cid'",
            "user:cid: the entry at Seq 1 says added of group_x at Seq 1",
        ),
        (
            "DELETE FROM member WHERE uid = 'bob' AND until = 2",
            "user:bob: the entry at Seq 2 says left of group_x at Seq 2",
        ),
        (
            "UPDATE entry SET members_seq = 0 WHERE log = (SELECT log FROM chat_group)",
            "group_y: ann is a member from Seq 1 to None, but these are no membership entries",
        ),
        (
            "DELETE FROM member WHERE uid = 'bob' AND until = 2",
            "group_x: bob departed at Seq 2, but no membership ends there",
        ),
        (
            "DELETE FROM member WHERE uid = 'bob' AND since = 4",
            "group_x: bob came in at Seq 4, but no membership is there",
        ),
        (
            "UPDATE log SET members = 0 WHERE name = 'group_y'",
            "group_y: nobody is in it, but it is not said to be closed",
        ),
        (
            "UPDATE member SET until = 7 WHERE uid = 'eve'",
            "group_y: eve was put out at Seq 8, but no membership ends there",
        ),
        (
            "DELETE FROM entry WHERE kind = 'invitation'",
            "user:fay: nothing tells of the invitation i-1 to group_y",
        ),
        (
            replaced('"Edited":4', '"Edited":6'),
            "group_y: the entry at Seq 2 was changed at Seq 6, but there is no edit",
        ),
        (
            replaced('"Deleted":5', '"Deleted":6'),
            "group_y: the entry at Seq 3 was changed at Seq 6, but there is no delete",
        ),
        (
            replaced(',"Edited":4', ""),
            "group_y: the edit at Seq 4 did not change the entry at Seq 2",
        ),
        (
            replaced(',"Deleted":5', ""),
            "group_y: the delete at Seq 5 did not change the entry at Seq 3",
        ),
        (
            "UPDATE reaction SET body = '!'",
            "group_y: bob reacted to Seq 2 at Seq 6, but that is not what the log says",
        ),
        (
            "DELETE FROM reaction",
            "group_y: the last reaction of bob to Seq 2, at Seq 6, is not kept as such",
        ),
        (
            """INSERT INTO held_message
            SELECT 9, conv, uid, kind, msg_id, envelope, at FROM held_message""",
            "group_none: the message (ann, h) is held 2 times",
        ),
    ],
)
async def test_the_check_says_what_is_damaged_and_where(
    store: SqliteStore, path: Path, damage: str, finding: str
) -> None:
    await store.close()
    break_it(path, damage)
    findings = check(path)
    assert [line for line in findings if line.startswith(finding)], findings


_AGAIN_LATER = """
    INSERT INTO entry SELECT NULL, log, 2, 2, at + {}, members_seq, kind, sender, msg_id, envelope
    FROM entry WHERE log = (SELECT id FROM log WHERE name = 'dm:ann:bob')"""


@pytest.mark.parametrize(("later_ms", "is_wrong"), [(86_399_999, True), (86_400_000, False)])
async def test_a_key_may_come_again_when_a_store_it_was_moved_from_need_not_know_it(
    store: SqliteStore, path: Path, later_ms: int, is_wrong: bool
) -> None:
    await store.close()
    break_it(path, _AGAIN_LATER.format(later_ms))
    assert any("was appended" in finding for finding in check(path)) is is_wrong


_MANY_MORE = """
    INSERT INTO entry
    WITH RECURSIVE more(seq) AS (SELECT 5 UNION ALL SELECT seq + 1 FROM more WHERE seq < 20000)
    SELECT NULL, log, more.seq, 2, at, members_seq, kind, sender,
    printf('%0200d', more.seq), envelope FROM more
    JOIN (SELECT * FROM entry WHERE log = (SELECT id FROM log WHERE name = 'group_x') LIMIT 1)"""


async def test_the_check_needs_no_place_for_files_to_sort_by(
    store: SqliteStore, path: Path
) -> None:
    await store.close()
    break_it(path, _MANY_MORE)
    with files_of_at_most(100_000):
        findings = check(path)
    assert len(findings) > 20_000
    assert findings == check(path)


async def test_the_check_finds_a_damaged_page(path: Path, store: SqliteStore) -> None:
    for number in range(100):
        await send(store, Append("group_x", (message("ann", f"p{number}", "x" * 900),)))
    await store.close()
    overwrite_a_page(path)
    assert any(line.startswith("damaged:") for line in check(path))


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Writing beyond `size` bytes fails, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def names_in(directory: Path) -> list[str]:
    return [each.name for each in directory.iterdir()]


def overwrite_a_page(path: Path) -> None:
    """Overwrite the start of the page that the table of entries begins with."""
    with closing(sqlite3.connect(path)) as db:
        query = "SELECT rootpage, page_size FROM sqlite_schema, pragma_page_size WHERE name = ?"
        page, size = db.execute(query, ("entry",)).fetchone()
    content = bytearray(path.read_bytes())
    content[(page - 1) * size : (page - 1) * size + 200] = b"\xff" * 200
    path.write_bytes(content)


def break_it(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        assert db.execute(statement).rowcount > 0

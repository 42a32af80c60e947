"""Whether a store's file is whole, and keeps what its logs promise.

The tables are asked in SQL; what lies in the journal is held to go on from them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import msgspec

from webchat.adapters.sqlite import journal, keyjournal, schema
from webchat.adapters.sqlite.files import connect_untouched, existing, refusing
from webchat.adapters.sqlite.keys import key_hash
from webchat.adapters.sqlite.schema import check_mode, is_being_filled
from webchat.model import MESSAGE
from webchat.ports.store import UNFINISHED_IMPORT, Finding, Mode

_SAID: Final = """
    WITH said AS (
        SELECT log, name, seq, kind, sender, envelope ->> '$.Body' AS body,
        text_of(envelope) AS text, envelope ->> '$.Refers' AS refers,
        envelope ->> '$.Edited' AS edited,
        envelope ->> '$.Deleted' AS deleted FROM (
            SELECT entry.log, log.name, seq, kind, sender,
            iif(json_valid(CAST(envelope AS TEXT)), CAST(envelope AS TEXT), '{}') AS envelope
            FROM entry JOIN log ON log.id = entry.log
        )
    )"""
"""Before each query: the entries with what their envelopes say, nothing where that is no JSON.

`body` ends at its first NUL, as all that SQLite reads of JSON; `text` is all of it.
"""

_PROMISES: Final[tuple[tuple[str, str], ...]] = (
    (
        "{}: {} entries, from Seq {} to {}: there is a gap",
        """SELECT log.name, count(*), min(seq), max(seq) FROM entry JOIN log ON log.id = entry.log
        GROUP BY entry.log HAVING min(seq) <> 1 OR max(seq) <> count(*)""",
    ),
    (
        "{}: N at Seq {} is {}, but {} messages lie up to there",
        """SELECT log.name, seq, n, counted FROM (
            SELECT log, seq, n,
            sum(kind = 'message') OVER (PARTITION BY log ORDER BY seq) AS counted FROM entry
        ) JOIN log ON log.id = log WHERE n <> counted""",
    ),
    (
        "{}: the key ({}, {}) was appended {} times",
        # For longer than a day no store has to know a key, and one that was imported did not.
        """SELECT log.name, sender, msg_id, 1 + count(*) FROM (
            SELECT log, sender, msg_id,
            at - lag(at) OVER (PARTITION BY log, sender, msg_id ORDER BY seq) AS since
            FROM entry WHERE msg_id <> ''
        ) JOIN log ON log.id = log WHERE since < 86400000 GROUP BY log, sender, msg_id""",
    ),
    (
        "{}: the entry at Seq {} is not found by its key",
        """SELECT log.name, seq FROM entry JOIN log ON log.id = entry.log
        WHERE msg_id <> '' AND NOT iif(EXISTS (SELECT 1 FROM entry_key
            WHERE entry_key.log = entry.log AND hash = key_hash(sender, msg_id)
            AND entry = entry.id), 1, is_noted(entry.log, key_hash(sender, msg_id), entry.id))""",
    ),
    (
        "{}: the entry at Seq {} is no JSON object",
        """SELECT log.name, seq FROM entry JOIN log ON log.id = entry.log
        WHERE NOT json_valid(CAST(envelope AS TEXT))
        OR json_type(CAST(envelope AS TEXT)) <> 'object'""",
    ),
    (
        "{}: the last membership entry at Seq {} is said to be {}, before it {}",
        """SELECT log.name, seq, members_seq, earlier FROM (
            SELECT log, seq, members_seq,
            lag(members_seq, 1, 0) OVER (PARTITION BY log ORDER BY seq) AS earlier FROM entry
        ) JOIN log ON log.id = log
        WHERE members_seq <> seq AND members_seq <> earlier""",
    ),
    (
        "{}: {} is a member from Seq {} to {}, which the log does not have",
        """SELECT log.name, uid, since, until FROM member JOIN log ON log.id = member.log
        WHERE NOT EXISTS (SELECT 1 FROM entry WHERE entry.log = member.log AND seq = since)
        OR (until IS NOT NULL AND (until < since OR NOT EXISTS
            (SELECT 1 FROM entry WHERE entry.log = member.log AND seq = until)))""",
    ),
    (
        "{}: the spans of {} from Seq {} and {} overlap",
        """SELECT log.name, uid, since, next FROM (
            SELECT log, uid, since, until,
            lead(since) OVER (PARTITION BY log, uid ORDER BY since) AS next FROM member
        ) JOIN log ON log.id = log WHERE next <= ifnull(until, next)""",
    ),
    (
        "{}: said to have {} members, but {} are present",
        """SELECT name, members, present FROM (
            SELECT name, members, (
                SELECT count(*) FROM member WHERE log = log.id AND until IS NULL
            ) AS present FROM log
        ) WHERE members <> present""",
    ),
    (
        "{}: {} stands at delivered {}, displayed {}, but the log ends at {}",
        """SELECT name, uid, delivered, displayed, last FROM (
            SELECT log.name, uid, delivered, displayed,
            ifnull((SELECT max(seq) FROM entry WHERE entry.log = position.log), 0) AS last
            FROM position JOIN log ON log.id = position.log
        ) WHERE NOT (0 <= displayed AND displayed <= delivered AND delivered <= last)""",
    ),
    (
        "{}: the count of {} at its displayed Seq {} is {}, but {} messages lie up to there",
        """SELECT name, uid, displayed, n, counted FROM (
            SELECT log.name, uid, displayed, position.n, ifnull((
                SELECT entry.n FROM entry WHERE entry.log = position.log AND seq = displayed
            ), 0) AS counted FROM position JOIN log ON log.id = position.log
        ) WHERE n <> counted""",
    ),
    (
        "{}: the entry at Seq {} says {} of {} at Seq {}, but no such membership is there",
        """SELECT name, seq, body ->> '$.state', body ->> '$.Conv', body ->> '$.Seq' FROM said
        WHERE kind = 'conversation' AND NOT EXISTS (
            SELECT 1 FROM member JOIN log AS of ON of.id = member.log
            WHERE of.name = body ->> '$.Conv' AND uid = sender
            AND CASE body ->> '$.state' WHEN 'left' THEN until = body ->> '$.Seq'
            ELSE since <= body ->> '$.Seq' END
        )""",
    ),
    (
        "{}: {} is a member from Seq {} to {}, but these are no membership entries",
        """SELECT log.name, uid, since, until FROM member JOIN log ON log.id = member.log
        WHERE log.name GLOB 'group_*' AND EXISTS (SELECT 1 FROM entry
            WHERE entry.log = member.log AND seq IN (since, until) AND members_seq <> seq)""",
    ),
    (
        "{}: {} departed at Seq {}, but no membership ends there",
        """SELECT log.name, sender, seq FROM entry JOIN log ON log.id = entry.log
        WHERE kind = 'depart' AND NOT EXISTS (SELECT 1 FROM member
            WHERE member.log = entry.log AND uid = sender AND until = seq)""",
    ),
    (
        "{}: {} was put out at Seq {}, but no membership ends there",
        """SELECT log, went.value, seq
        FROM (SELECT name AS log, log AS id, seq, kind, body FROM said) AS said,
        json_each(iif(json_valid(body), body, '[]')) AS went
        WHERE kind = 'remove' AND NOT EXISTS (SELECT 1 FROM member
            WHERE member.log = said.id AND uid = went.value AND until = seq)""",
    ),
    (
        "{}: {} came in at Seq {}, but no membership is there",
        """SELECT name, came.value, seq
        FROM said, json_each(iif(json_valid(body), body, '[]')) AS came
        WHERE kind IN ('create', 'join') AND NOT EXISTS (SELECT 1 FROM member
            WHERE member.log = said.log AND uid = came.value
            AND since <= seq AND ifnull(until > seq, 1))""",
    ),
    (
        "{}: nobody is in it, but it is not said to be closed",
        """SELECT log.name FROM chat_group JOIN log ON log.id = chat_group.log
        WHERE NOT closed AND members = 0""",
    ),
    (
        "{}: the entry at Seq {} was changed at Seq {}, but there is no {}",
        """SELECT name, seq, cause, change FROM (
            SELECT log, name, seq, edited AS cause, 'edit' AS change FROM said
            UNION ALL SELECT log, name, seq, deleted, 'delete' FROM said
        ) AS said WHERE cause IS NOT NULL AND NOT EXISTS (SELECT 1 FROM entry
            WHERE entry.log = said.log AND entry.seq = cause AND kind = change)""",
    ),
    (
        "{}: the {} at Seq {} did not change the entry at Seq {}",
        """SELECT cause.name, cause.kind, cause.seq, meant.seq
        FROM said AS cause JOIN said AS meant ON meant.log = cause.log AND meant.seq = cause.refers
        WHERE meant.seq < cause.seq AND CASE cause.kind
            WHEN 'edit' THEN meant.deleted IS NULL AND ifnull(meant.edited, 0) < cause.seq
            WHEN 'delete' THEN ifnull(meant.deleted, 0) < cause.seq END""",
    ),
    (
        "{}: {} reacted to Seq {} at Seq {}, but that is not what the log says",
        """SELECT log.name, uid, reaction.seq, cause
        FROM reaction JOIN log ON log.id = reaction.log WHERE NOT EXISTS (SELECT 1 FROM said
            WHERE said.log = reaction.log AND said.seq = cause AND kind = 'react'
            AND sender = uid AND refers = reaction.seq AND text = reaction.body)""",
    ),
    (
        "{}: the last reaction of {} to Seq {}, at Seq {}, is not kept as such",
        """SELECT name, sender, refers, seq FROM (
            SELECT log, name, sender, refers, text, max(seq) AS seq FROM said
            WHERE kind = 'react' AND refers BETWEEN 1 AND seq - 1 GROUP BY log, sender, refers
        ) AS said WHERE (text <> '') <> EXISTS (SELECT 1 FROM reaction
            WHERE reaction.log = said.log AND reaction.seq = refers AND uid = sender)""",
    ),
    (
        "user:{}: nothing tells of the invitation {} to {}",
        """SELECT uid, id, conv FROM invitation WHERE NOT EXISTS (
            SELECT 1 FROM entry JOIN log ON log.id = entry.log
            WHERE log.name = 'user:' || invitation.uid AND entry.msg_id = invitation.id)""",
    ),
    (
        "{}: the message ({}, {}) is held {} times",
        """SELECT conv, uid, msg_id, count(*) FROM held_message WHERE msg_id <> ''
        GROUP BY conv, uid, msg_id HAVING count(*) > 1""",
    ),
)


class _Text(msgspec.Struct, rename="pascal"):
    body: str = ""


_decode_text: Final = msgspec.json.Decoder(_Text).decode


def check(path: Path, mode: Mode | None = None) -> list[Finding]:
    """All that is wrong with the store at `path`, a line each; empty: nothing.

    Reads one moment's state, beside a process that serves it. Raises StoreRefused if there is no
    store, one that this version does not know, or one of another mode than `mode`, if that is
    given.
    """
    with existing(path) as db:
        schema.check_not_older(db, path)
        try:
            if mode is not None:
                check_mode(db, path, mode)
            try:
                return _findings(db)
            except sqlite3.OperationalError:
                # Perhaps there was no place for the files by which it sorts.
                db.execute("PRAGMA temp_store = MEMORY")
                return _findings(db)
        except sqlite3.DatabaseError as error:
            return [*damages(db), f"the file cannot be read: {error}"]


def _findings(db: sqlite3.Connection) -> list[Finding]:
    unfinished = [f"it {UNFINISHED_IMPORT}"] * is_being_filled(db)
    return [*unfinished, *damages(db), *_broken_promises(db), *_broken_journal(db)]


def check_not_older(path: Path) -> None:
    """Raises StoreRefused if this version would have to change the store at `path` to use it; an
    empty file it may fill."""
    with refusing(path), closing(connect_untouched(path)) as db:
        if schema.check_version(db, path):
            schema.check_not_older(db, path)


def damages(db: sqlite3.Connection) -> Iterator[Finding]:
    """What SQLite itself finds."""
    try:
        for (found,) in db.execute("PRAGMA integrity_check"):
            # What is wrong with pages comes in one row, under a heading in asterisks.
            for line in found.splitlines():
                if line != "ok" and not line.startswith("***"):
                    yield f"damaged: {line}"
    except sqlite3.DatabaseError as error:
        yield f"damaged: {error}"


def _broken_promises(db: sqlite3.Connection) -> Iterator[Finding]:
    db.create_function("key_hash", 2, key_hash, deterministic=True)
    db.create_function("text_of", 1, _text_of, deterministic=True)
    db.create_function("is_noted", 3, _is_noted(db))
    for words, query in _PROMISES:
        for row in db.execute(_SAID + query):
            yield words.format(*row)


def _is_noted(db: sqlite3.Connection) -> Callable[[int, int, int], bool]:
    """What says whether the key of an entry, given by log, hash and id, is on its way into its
    table."""
    noted = {
        (log, hashed, id_)
        for _, keys in keyjournal.batches(db)
        for log, of_log in keys.items()
        for hashed, id_ in of_log.items()
    }
    return lambda *key: key in noted


def _text_of(envelope: str) -> str:
    """The `Body` of an envelope; "" if it has none that is a text."""
    try:
        return _decode_text(envelope).body
    except msgspec.DecodeError:
        return ""


def _broken_journal(db: sqlite3.Connection) -> Iterator[Finding]:
    """Entries of the journal that do not go on where their log ends in the tables, and positions
    beyond. What the tables have already was folded before its time."""
    ends: dict[int, tuple[int, int, int]] = {}
    for batch in journal.batches(db):
        for log, seq, n, _, members_seq, kind, _, _, envelope, _ in batch.entries:
            last, counted, members_last = ends.get(log) or _end(db, log)
            if seq > last:
                expected = (last + 1, counted + (kind == MESSAGE))
                if (seq, n) != expected or members_seq not in (seq, members_last):
                    yield f"{_name(db, log)}: the journal goes on with Seq {seq} after {last}"
                if not _is_object(envelope):
                    yield f"{_name(db, log)}: the entry at Seq {seq} is no JSON object"
                ends[log] = (seq, n, members_seq)
        for log, uid, delivered, displayed, _ in batch.positions:
            last, _, _ = ends.get(log) or _end(db, log)
            if not 0 <= displayed <= delivered <= last:
                yield f"{_name(db, log)}: the journal has {uid} at {delivered}, the end is {last}"


def _end(db: sqlite3.Connection, log: int) -> tuple[int, int, int]:
    """`Seq`, `N` and `members_seq` of a log's last entry in the tables."""
    query = "SELECT seq, n, members_seq FROM entry WHERE log = ? ORDER BY seq DESC LIMIT 1"
    seq, n, members_seq = db.execute(query, (log,)).fetchone() or (0, 0, 0)
    return seq, n, members_seq


def _name(db: sqlite3.Connection, log: int) -> str:
    row = db.execute("SELECT name FROM log WHERE id = ?", (log,)).fetchone()
    return f"log {log}" if row is None else str(row[0])


def _is_object(envelope: bytes) -> bool:
    try:
        return isinstance(msgspec.json.decode(envelope), dict)
    except msgspec.DecodeError:
        return False

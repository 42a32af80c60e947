"""The tables of an SQLite store, as steps from one version to the next.

Layout (docs/adr/0003-store.md, 0008-journal.md): what comes in is a row of the journal first, and
is folded from there many entries at a time; conversations are integers.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import Final

from webchat.adapters.sqlite.keys import key_hash
from webchat.ports.store import Mode, StoreRefused, made_in_other_mode

APPLICATION_ID: Final = 0x77636874
"""`PRAGMA application_id` of our files: "wcht"."""

_FIRST: Final = (
    "CREATE TABLE property (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID",
    # `members`: how many are present, so that nobody has to count a million rows.
    """CREATE TABLE log (
        id INTEGER PRIMARY KEY,
        name TEXT NOT NULL UNIQUE,
        members INTEGER NOT NULL DEFAULT 0
    )""",
    # `members_seq`: Seq of the last membership entry up to this one, so the newest row of a log is
    # its head. `envelope`: the draft's.
    """CREATE TABLE entry (
        id INTEGER PRIMARY KEY,
        log INTEGER NOT NULL REFERENCES log,
        seq INTEGER NOT NULL,
        n INTEGER NOT NULL,
        at INTEGER NOT NULL,
        members_seq INTEGER NOT NULL,
        kind TEXT NOT NULL,
        sender TEXT NOT NULL,
        msg_id TEXT NOT NULL,
        envelope BLOB NOT NULL
    )""",
    "CREATE UNIQUE INDEX entry_place ON entry (log, seq)",
    # Keys of the entries up to the id that the counter says; `hash`: see `keys.py`.
    """CREATE TABLE entry_key (
        log INTEGER NOT NULL,
        hash INTEGER NOT NULL,
        entry INTEGER NOT NULL REFERENCES entry,
        PRIMARY KEY (log, hash, entry)
    ) WITHOUT ROWID""",
    "INSERT INTO counter VALUES ('keys_folded', 0)",
    """CREATE TABLE member (
        log INTEGER NOT NULL REFERENCES log,
        uid TEXT NOT NULL,
        since INTEGER NOT NULL,
        until INTEGER,
        role TEXT NOT NULL,
        PRIMARY KEY (log, uid, since)
    ) WITHOUT ROWID""",
    "CREATE INDEX member_by_user ON member (uid, log, since)",
    # Who was a member as of some Seq, in order; and how many, from what changed since.
    "CREATE INDEX member_since ON member (log, since, uid)",
    "CREATE INDEX member_admin ON member (log, since, uid) WHERE role = 'admin' AND until IS NULL",
    "CREATE INDEX member_until ON member (log, until) WHERE until IS NOT NULL",
    """CREATE TABLE chat_group (
        log INTEGER PRIMARY KEY REFERENCES log,
        name TEXT NOT NULL,
        picture TEXT NOT NULL,
        history_open INTEGER NOT NULL,
        announcements INTEGER NOT NULL,
        public INTEGER NOT NULL,
        closed INTEGER NOT NULL,
        folded TEXT NOT NULL
    )""",
    # `folded`: the name as it is searched.
    "CREATE INDEX public_group ON chat_group (folded) WHERE public AND NOT closed",
    # `cause`: Seq of the entry that said so.
    """CREATE TABLE reaction (
        log INTEGER NOT NULL REFERENCES log,
        seq INTEGER NOT NULL,
        uid TEXT NOT NULL,
        body TEXT NOT NULL,
        cause INTEGER NOT NULL,
        PRIMARY KEY (log, seq, uid)
    ) WITHOUT ROWID""",
    """CREATE TABLE position (
        log INTEGER NOT NULL REFERENCES log,
        uid TEXT NOT NULL,
        delivered INTEGER NOT NULL,
        displayed INTEGER NOT NULL,
        n INTEGER NOT NULL,
        PRIMARY KEY (log, uid)
    ) WITHOUT ROWID""",
    # `touched`: counts up with each creation and save; orders `recent`.
    """CREATE TABLE account (
        uid TEXT PRIMARY KEY,
        name TEXT NOT NULL,
        about TEXT NOT NULL,
        display_receipts INTEGER NOT NULL,
        who_may_add_me TEXT NOT NULL,
        disabled INTEGER NOT NULL,
        password_hash TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        touched INTEGER NOT NULL
    ) WITHOUT ROWID""",
    "CREATE INDEX account_touched ON account (touched)",
    # Uids ever given, folded; a row outlives its account.
    "CREATE TABLE given_uid (folded TEXT PRIMARY KEY) WITHOUT ROWID",
    """CREATE TABLE account_term (
        term TEXT NOT NULL,
        uid TEXT NOT NULL,
        PRIMARY KEY (term, uid)
    ) WITHOUT ROWID""",
    "CREATE INDEX account_term_by_uid ON account_term (uid, term)",
    """CREATE TABLE login (
        token_hash BLOB PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        uid TEXT NOT NULL,
        created_at INTEGER NOT NULL,
        last_used_at INTEGER NOT NULL,
        expires_at INTEGER NOT NULL
    ) WITHOUT ROWID""",
    "CREATE INDEX login_by_user ON login (uid)",
    "CREATE INDEX login_expiry ON login (expires_at)",
    # AUTOINCREMENT: an id is never given twice, so a process that polls misses none.
    """CREATE TABLE revocation (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        uid TEXT NOT NULL,
        login TEXT NOT NULL,
        except_login TEXT NOT NULL,
        at INTEGER NOT NULL
    )""",
    """CREATE TABLE kept_receipt (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        uid TEXT NOT NULL,
        envelope BLOB NOT NULL
    )""",
    "CREATE INDEX kept_receipt_by_user ON kept_receipt (uid, id)",
    # Of groups that have no log yet.
    """CREATE TABLE held_message (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        conv TEXT NOT NULL,
        uid TEXT NOT NULL,
        kind TEXT NOT NULL,
        msg_id TEXT NOT NULL,
        envelope BLOB NOT NULL,
        at INTEGER NOT NULL
    )""",
    "CREATE INDEX held_message_key ON held_message (conv, uid, msg_id)",
    "CREATE INDEX held_message_by_user ON held_message (uid)",
    "CREATE INDEX held_message_age ON held_message (at)",
    """CREATE TABLE invitation (
        number INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        conv TEXT NOT NULL,
        uid TEXT NOT NULL,
        by TEXT NOT NULL,
        at INTEGER NOT NULL
    )""",
    "CREATE INDEX invitation_by_user ON invitation (uid, conv)",
    # `uses`: how many are left, NULL for no limit.
    """CREATE TABLE invite_link (
        code_hash BLOB PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        conv TEXT NOT NULL,
        by TEXT NOT NULL,
        expires_at INTEGER NOT NULL,
        uses INTEGER
    ) WITHOUT ROWID""",
    "CREATE INDEX invite_link_by_group ON invite_link (conv, expires_at)",
    "CREATE INDEX invite_link_expiry ON invite_link (expires_at)",
)

_SECOND: Final = (
    # `row`: what the node says of itself, as JSON.
    """CREATE TABLE node (
        id TEXT PRIMARY KEY,
        incarnation TEXT NOT NULL,
        row BLOB NOT NULL
    ) WITHOUT ROWID""",
)

_THIRD: Final = (
    # `batch`: see `journal.py`.
    "CREATE TABLE journal (id INTEGER PRIMARY KEY, batch BLOB NOT NULL)",
    # From now on a key comes into its table together with its entry.
    """INSERT INTO entry_key SELECT log, key_hash(sender, msg_id), id FROM entry
    WHERE id > (SELECT value FROM counter WHERE name = 'keys_folded') AND msg_id <> ''""",
    "DROP TABLE counter",
)

_FOURTH: Final = (
    # `saved_at`, and `touched` of those saved in the same ms, order `recent`: so it is the same
    # after a move to another store.
    "ALTER TABLE account RENAME COLUMN created_at TO saved_at",
    "CREATE INDEX account_recent ON account (saved_at, touched)",
)

_FIFTH: Final = (
    # `batch`: see `keyjournal.py`.
    "CREATE TABLE key_journal (id INTEGER PRIMARY KEY, batch BLOB NOT NULL)",
)

_SIXTH: Final = (
    # `visits`: that used it, the newest last, as JSON; of a link that is for a number of people.
    "ALTER TABLE invite_link ADD COLUMN visits TEXT NOT NULL DEFAULT '[]'",
    # Whether its user is about to come in by it.
    "ALTER TABLE invitation ADD COLUMN claimed INTEGER NOT NULL DEFAULT 0",
)

_SEVENTH: Final = (
    # All of a membership, so that what a user follows is on one page or two. `since` first: or
    # SQLite would take it for members of one log, too, and who they are lies far apart in it.
    "DROP INDEX member_by_user",
    "CREATE INDEX member_by_user ON member (uid, since, log, until, role)",
)

STEPS: Final[Sequence[Sequence[str]]] = (
    _FIRST, _SECOND, _THIRD, _FOURTH, _FIFTH, _SIXTH, _SEVENTH,
)  # fmt: skip
"""Step i brings a file from version i to i + 1. What was released is never changed."""

VERSION: Final = len(STEPS)


def check_version(db: sqlite3.Connection, path: Path) -> int:
    """The file's version, 0 for an empty one. Raises StoreRefused for what is not ours to open."""
    (version,) = db.execute("PRAGMA user_version").fetchone()
    (application,) = db.execute("PRAGMA application_id").fetchone()
    (tables,) = db.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if tables and application != APPLICATION_ID:
        raise StoreRefused(f"{path} is a database of another program; name another file")
    if version > VERSION:
        raise StoreRefused(
            f"{path} was written by a newer webchat (schema {version}, this one knows {VERSION}); "
            "use that version, or restore a backup made by this one"
        )
    return int(version)


def check_not_older(db: sqlite3.Connection, path: Path) -> None:
    """Raises StoreRefused for a file that has yet to be brought to VERSION."""
    if check_version(db, path) != VERSION:
        raise StoreRefused(
            f"{path} is older than this webchat: `webchat serve` or `webchat store init` of this "
            "version brings it up to date"
        )


def check_mode(db: sqlite3.Connection, path: Path, mode: Mode) -> bool:
    """Whether the file has a mode yet. Raises StoreRefused for another one than `mode`."""
    kept = db.execute("SELECT value FROM property WHERE name = 'mode'").fetchone()
    if kept is not None and kept[0] != mode:
        raise made_in_other_mode(str(path), kept[0], mode, "another file")
    return kept is not None


def is_being_filled(db: sqlite3.Connection) -> bool:
    """Whether an import into it has begun and not come to its end. Raises sqlite3.Error."""
    found = db.execute("SELECT 1 FROM property WHERE name = 'importing'").fetchone()
    return found is not None


def missing(db: sqlite3.Connection) -> list[str]:
    """The tables and indices of the file's version that it does not have. Raises sqlite3.Error."""
    (version,) = db.execute("PRAGMA user_version").fetchone()
    with closing(sqlite3.connect(":memory:")) as made:
        _take(made, STEPS[:version])
        return sorted(_names(made) - _names(db))


def migrate(db: sqlite3.Connection) -> None:
    """Bring a file to VERSION, in one transaction. Raises sqlite3.Error."""
    db.execute("BEGIN IMMEDIATE")
    try:
        # Read inside the transaction: another process may have been faster.
        (version,) = db.execute("PRAGMA user_version").fetchone()
        _take(db, STEPS[version:])
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute(f"PRAGMA user_version = {VERSION}")
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:  # On a full disk SQLite has rolled it back already.
            db.execute("ROLLBACK")
        raise


def _take(db: sqlite3.Connection, steps: Sequence[Sequence[str]]) -> None:
    db.create_function("key_hash", 2, key_hash, deterministic=True)
    for statement in chain.from_iterable(steps):
        db.execute(statement)


def _names(db: sqlite3.Connection) -> set[str]:
    return {name for (name,) in db.execute("SELECT name FROM sqlite_schema")}

"""How a page of records is written to the tables; what is there already is left alone.

Runs as an act of the writer on a store that nobody else writes to.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any, Final

from msgspec.structs import astuple

from webchat.adapters.sqlite.accounts import index_terms
from webchat.adapters.sqlite.changes import group_row
from webchat.adapters.sqlite.keys import key_hash
from webchat.adapters.sqlite.rows import EntryRow, write_entries
from webchat.model import unseal
from webchat.ports.accounts import fold
from webchat.ports.transfer import (
    AccountRecord,
    EntryRecord,
    GroupRecord,
    HeldRecord,
    InvitationRecord,
    KeptRecord,
    LinkRecord,
    LoginRecord,
    MemberRecord,
    PositionRecord,
    ReactionRecord,
    Record,
)  # fmt: skip

_LOG: Final = "(SELECT id FROM log WHERE name = ?)"
_END: Final = f"SELECT ifnull(max(seq), 0) FROM entry WHERE log = {_LOG}"  # noqa: S608
_REACTION: Final = f"INSERT OR IGNORE INTO reaction VALUES ({_LOG}, ?, ?, ?, ?)"  # noqa: S608
_MEMBER: Final = f"INSERT OR IGNORE INTO member VALUES ({_LOG}, ?, ?, ?, ?)"  # noqa: S608
_CAME: Final = "UPDATE log SET members = members + 1 WHERE name = ?"
_GROUP: Final = f"INSERT OR IGNORE INTO chat_group VALUES ({_LOG}, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608
_POSITION: Final = f"INSERT OR IGNORE INTO position VALUES ({_LOG}, ?, ?, ?, ?)"  # noqa: S608
_ACCOUNT: Final = """
    INSERT OR IGNORE INTO account VALUES (?, ?, ?, ?, ?, ?, ?, ?,
    (SELECT ifnull(max(touched), 0) + 1 FROM account))"""
_LOGIN: Final = "INSERT OR IGNORE INTO login VALUES (?, ?, ?, ?, ?, ?)"
_KEPT_LAST: Final = """
    SELECT envelope FROM kept_receipt WHERE uid = ? ORDER BY id DESC LIMIT ?"""
_KEEP: Final = "INSERT INTO kept_receipt (uid, envelope) VALUES (?, ?)"
_HOLD: Final = """
    INSERT INTO held_message (conv, uid, kind, msg_id, envelope, at)
    SELECT ?1, ?2, ?3, ?4, ?5, ?6 WHERE NOT EXISTS (
        SELECT 1 FROM held_message WHERE conv = ?1 AND uid = ?2 AND msg_id = ?4
        AND envelope = ?5 AND at = ?6
    )"""
_INVITATION: Final = """
    INSERT OR IGNORE INTO invitation (id, conv, uid, by, at) VALUES (?, ?, ?, ?, ?)"""
_LINK: Final = """
    INSERT OR IGNORE INTO invite_link (code_hash, id, conv, by, expires_at, uses)
    VALUES (?, ?, ?, ?, ?, ?)"""


def restore(db: sqlite3.Connection, records: Sequence[Record]) -> None:
    """Write a page of records."""
    for kind, write in _RESTORES.items():
        if page := [record for record in records if isinstance(record, kind)]:
            write(db, page)


def _entries(db: sqlite3.Connection, page: Sequence[EntryRecord]) -> None:
    rows: list[EntryRow] = []
    for conv, records in groupby(page, lambda record: record.entry.conv):
        db.execute("INSERT OR IGNORE INTO log (name) VALUES (?)", (conv,))
        (log,) = db.execute("SELECT id FROM log WHERE name = ?", (conv,)).fetchone()
        (end,) = db.execute(_END, (conv,)).fetchone()
        rows += (_entry_row(log, record) for record in records if record.entry.seq > end)
    write_entries(db, rows)


def _entry_row(log: int, record: EntryRecord) -> EntryRow:
    entry, draft = record.entry, unseal(record.entry)
    place = (log, entry.seq, entry.n, entry.at, record.members_seq)
    hashed = key_hash(draft.sender, draft.msg_id)
    return (*place, draft.kind, draft.sender, draft.msg_id, draft.envelope, hashed)


def _reactions(db: sqlite3.Connection, page: Iterable[ReactionRecord]) -> None:
    rows = [(one.conv, one.seq, one.uid, one.body, one.by) for one in page if one.body]
    db.executemany(_REACTION, rows)


def _members(db: sqlite3.Connection, page: Iterable[MemberRecord]) -> None:
    for record in page:
        span = record.span
        row = (span.conv, span.uid, span.since, span.until, span.role)
        if db.execute(_MEMBER, row).rowcount and span.until is None:
            db.execute(_CAME, (span.conv,))


def _groups(db: sqlite3.Connection, page: Iterable[GroupRecord]) -> None:
    db.executemany(_GROUP, [group_row(one.group.conv, one.group) for one in page])


def _positions(db: sqlite3.Connection, page: Iterable[PositionRecord]) -> None:
    db.executemany(_POSITION, [(one.conv, one.uid, *astuple(one.position)) for one in page])


def _accounts(db: sqlite3.Connection, page: Iterable[AccountRecord]) -> None:
    for record in page:
        row = (*astuple(record.profile), record.password_hash, record.saved_at)
        if db.execute(_ACCOUNT, row).rowcount:
            folded = fold(record.profile.uid)
            db.execute("INSERT OR IGNORE INTO given_uid VALUES (?)", (folded,))
            index_terms(db, record.profile)


def _logins(db: sqlite3.Connection, page: Iterable[LoginRecord]) -> None:
    db.executemany(_LOGIN, [(one.token_hash, *astuple(one.login)) for one in page])


def _kept(db: sqlite3.Connection, page: Sequence[KeptRecord]) -> None:
    by_user = sorted(page, key=attrgetter("uid"))
    for uid, records in groupby(by_user, attrgetter("uid")):
        envelopes = [record.envelope for record in records]
        # They have no key: it is the same page again if it is what was kept last.
        last = db.execute(_KEPT_LAST, (uid, len(envelopes))).fetchall()
        if [envelope for (envelope,) in reversed(last)] != envelopes:
            db.executemany(_KEEP, [(uid, envelope) for envelope in envelopes])


def _held(db: sqlite3.Connection, page: Iterable[HeldRecord]) -> None:
    for record in page:
        draft = record.draft
        row = (record.conv, draft.sender, draft.kind, draft.msg_id, draft.envelope, record.at)
        db.execute(_HOLD, row)


def _invitations(db: sqlite3.Connection, page: Iterable[InvitationRecord]) -> None:
    db.executemany(_INVITATION, [astuple(one.invitation) for one in page])


def _links(db: sqlite3.Connection, page: Iterable[LinkRecord]) -> None:
    db.executemany(_LINK, [(one.code_hash, *astuple(one.link)) for one in page])


_Restore = Callable[[sqlite3.Connection, Any], None]

_RESTORES: Final[Mapping[type, _Restore]] = {
    EntryRecord: _entries, ReactionRecord: _reactions, MemberRecord: _members,
    GroupRecord: _groups, PositionRecord: _positions, AccountRecord: _accounts,
    LoginRecord: _logins, KeptRecord: _kept, HeldRecord: _held, InvitationRecord: _invitations,
    LinkRecord: _links,
}  # fmt: skip

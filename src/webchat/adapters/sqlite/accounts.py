"""Accounts and their search, on SQLite."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import partial
from typing import Final

import msgspec

from webchat.adapters.sqlite.reader import Reader, as_list, bounded, first_row
from webchat.adapters.sqlite.searching import Search, search
from webchat.adapters.sqlite.writer import Writer
from webchat.errors import Code, WebchatError
from webchat.model import Profile, Uid
from webchat.ports.accounts import Changed, fold, search_terms

PROFILE_COLUMNS: Final = "uid, name, about, display_receipts, who_may_add_me, disabled"
_PROFILES: Final = f"SELECT {PROFILE_COLUMNS} FROM account"  # noqa: S608
_SEARCH: Final = Search(
    count="""
        SELECT count(*) FROM
        (SELECT 1 FROM account_term WHERE term >= ? AND term < ? LIMIT ?)""",
    few=f"""{_PROFILES} WHERE uid IN
        (SELECT uid FROM account_term WHERE term >= ?1 AND term < ?2 AND uid > ?3)
        ORDER BY uid LIMIT ?4""",  # noqa: S608
    many=f"""{_PROFILES} WHERE uid > ?3 AND uid <= ?5 AND EXISTS
        (SELECT 1 FROM account_term WHERE uid = account.uid AND term >= ?1 AND term < ?2)
        ORDER BY uid LIMIT ?4""",  # noqa: S608
    id_at="SELECT uid FROM account WHERE uid > ? ORDER BY uid LIMIT 1 OFFSET ?",
)

_CAREFUL: Final = """
    SELECT uid FROM json_each(?) AS asked CROSS JOIN account ON uid = asked.value
    WHERE who_may_add_me = 'shared'"""


class SqliteAccounts:
    """Accounts by uid. See `ports/accounts.py`."""

    def __init__(self, writer: Writer, reader: Reader) -> None:
        self._write = writer.write
        self._reader = reader

    async def create(self, profile: Profile, password_hash: str, at: int) -> None:
        """A new account. Raises WebchatError(CONFLICT)."""
        await self._write(partial(_create, password_hash=password_hash, at=at), profile)

    async def profile(self, uid: Uid) -> Profile | None:
        """The profile, or None."""
        row = await first_row(self._reader, f"{_PROFILES} WHERE uid = ?", (uid,))
        return None if row is None else profile_of(*row)

    async def password_hash(self, uid: Uid) -> str | None:
        """The password's hash, or None."""
        query = "SELECT password_hash FROM account WHERE uid = ?"
        row = await first_row(self._reader, query, (uid,))
        return None if row is None else str(row[0])

    async def change_profile(
        self, uid: Uid, fields: Mapping[str, object], at: int, make: Profile | None = None
    ) -> Changed | None:
        """Write these fields of a profile and no others."""
        return await self._write(partial(_change_profile, fields=fields, at=at, make=make), uid)

    async def save_password(
        self, uid: Uid, password_hash: str, expected: str | None = None
    ) -> bool:
        """Write the password's hash of an existing account, if it is `expected` until then."""
        return await self._write(partial(_save_password, expected=expected), (password_hash, uid))

    async def search(self, prefix: str, after: Uid, limit: int) -> Sequence[Profile]:
        """Enabled accounts with a term that begins with `prefix`, by the index of terms."""
        asked = partial(search, asked=_SEARCH, prefix=fold(prefix), after=after, limit=limit)
        rows = await self._reader.read(asked)
        return [profile_of(*row) for row in rows]

    async def recent(self, limit: int) -> Sequence[Profile]:
        """The accounts last added or saved, newest first."""
        query = f"{_PROFILES} ORDER BY saved_at DESC, touched DESC LIMIT ?"
        return await self._read(query, (bounded(limit),))

    async def careful_among(self, uids: Sequence[Uid]) -> AbstractSet[Uid]:
        """Those of `uids` who want to be asked by strangers."""
        rows = await self._reader.read(lambda db: db.execute(_CAREFUL, (as_list(uids),)).fetchall())
        return {uid for (uid,) in rows}

    async def page(self, after: Uid, limit: int) -> Sequence[Profile]:
        """All accounts with uid > `after`, by uid."""
        query = f"{_PROFILES} WHERE uid > ? ORDER BY uid LIMIT ?"
        return await self._read(query, (after, bounded(limit)))

    async def _read(self, query: str, parameters: tuple[object, ...]) -> list[Profile]:
        rows = await self._reader.read(lambda db: db.execute(query, parameters).fetchall())
        return [profile_of(*row) for row in rows]


def profile_of(
    uid: Uid, name: str, about: str, display_receipts: int, who_may_add_me: str, disabled: int
) -> Profile:
    """The Profile of a row of PROFILE_COLUMNS."""
    who_may_add_me = sys.intern(who_may_add_me)  # one of few words; profiles are kept
    return Profile(uid, name, about, bool(display_receipts), who_may_add_me, bool(disabled))


def _create(db: sqlite3.Connection, profile: Profile, *, password_hash: str, at: int) -> None:
    given = "SELECT 1 FROM given_uid WHERE folded = ?"
    if db.execute(given, (fold(profile.uid),)).fetchone():
        raise WebchatError(Code.CONFLICT, f"the user id {profile.uid} is taken")
    _save_profile(db, profile, at=at)
    _save_password(db, (password_hash, profile.uid), expected=None)


def _save_profile(db: sqlite3.Connection, profile: Profile, *, at: int) -> None:
    settings = (
        profile.name, profile.about, profile.display_receipts, profile.who_may_add_me,
        profile.disabled,
    )  # fmt: skip
    db.execute(
        """INSERT INTO account VALUES (?, ?, ?, ?, ?, ?, '', ?,
            (SELECT ifnull(max(touched), 0) + 1 FROM account))
        ON CONFLICT (uid) DO UPDATE SET name = excluded.name, about = excluded.about,
            display_receipts = excluded.display_receipts,
            who_may_add_me = excluded.who_may_add_me, disabled = excluded.disabled,
            saved_at = excluded.saved_at, touched = excluded.touched""",
        (profile.uid, *settings, at),
    )
    db.execute("INSERT OR IGNORE INTO given_uid VALUES (?)", (fold(profile.uid),))
    index_terms(db, profile)


def _change_profile(
    db: sqlite3.Connection,
    uid: Uid,
    *,
    fields: Mapping[str, object],
    at: int,
    make: Profile | None,
) -> Changed | None:
    row = db.execute(f"{_PROFILES} WHERE uid = ?", (uid,)).fetchone()
    before = make if row is None else profile_of(*row)
    if before is None:
        return None
    after = msgspec.structs.replace(before, **fields)
    _save_profile(db, after, at=at)
    return Changed(before, after)


def index_terms(db: sqlite3.Connection, profile: Profile) -> None:
    """Make the profile found by its terms, or by none if it is disabled."""
    db.execute("DELETE FROM account_term WHERE uid = ?", (profile.uid,))
    if not profile.disabled:
        terms = [(term, profile.uid) for term in search_terms(profile)]
        db.executemany("INSERT INTO account_term VALUES (?, ?)", terms)


def _save_password(
    db: sqlite3.Connection, password: tuple[str, Uid], *, expected: str | None
) -> bool:
    cursor = db.execute(
        """UPDATE account SET password_hash = ?1
        WHERE uid = ?2 AND password_hash = ifnull(?3, password_hash)""",
        (*password, expected),
    )
    return cursor.rowcount > 0

"""Accounts and their search, on PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Final

import msgspec

from webchat.adapters.postgresql.connections import Connection, Connections
from webchat.adapters.postgresql.searching import Search, search
from webchat.adapters.postgresql.values import bounded
from webchat.errors import Code, WebchatError
from webchat.model import Profile, Uid
from webchat.ports.accounts import Changed, fold, search_terms

PROFILE_COLUMNS: Final = "uid, name, about, display_receipts, who_may_add_me, disabled"
_PROFILES: Final = f"SELECT {PROFILE_COLUMNS} FROM account"  # noqa: S608
_PROFILE: Final = f"{_PROFILES} WHERE uid = $1"
_RECENT: Final = f"{_PROFILES} ORDER BY saved_at DESC, touched DESC LIMIT $1"
_PAGE: Final = f"{_PROFILES} WHERE uid > $1 ORDER BY uid LIMIT $2"
_SEARCH: Final = Search(
    count="""
        SELECT count(*) FROM
        (SELECT 1 FROM account_term WHERE term >= $1 AND term < $2 LIMIT $3) AS found""",
    few=f"""
        {_PROFILES} WHERE uid = ANY(ARRAY(
            SELECT uid FROM account_term WHERE term >= $1 AND term < $2 AND uid > $3
        )) ORDER BY uid LIMIT $4""",  # noqa: S608
    # OFFSET 0 keeps the subquery a look into the index for each account.
    many=f"""
        SELECT * FROM ({_PROFILES} WHERE uid > $3 ORDER BY uid LIMIT $5) AS account WHERE EXISTS (
            SELECT 1 FROM account_term AS own
            WHERE own.uid = account.uid AND term >= $1 AND term < $2 OFFSET 0
        ) ORDER BY uid LIMIT $4""",  # noqa: S608
    id_at="SELECT uid FROM account WHERE uid > $1 ORDER BY uid LIMIT 1 OFFSET $2",
)
_CAREFUL: Final = """
    SELECT uid FROM account WHERE uid = ANY($1::text[]) AND who_may_add_me = 'shared'"""

_GIVE: Final = "INSERT INTO given_uid VALUES ($1) ON CONFLICT DO NOTHING RETURNING 1"
_INSERT: Final = """
    INSERT INTO account (uid, name, about, display_receipts, who_may_add_me, disabled,
    password_hash, saved_at, touched) VALUES ($1, $2, $3, $4, $5, $6, '', $7,
    nextval('account_touch'))"""
_MAKE: Final = f"{_INSERT} ON CONFLICT (uid) DO NOTHING"
_SAVE: Final = f"""{_INSERT}
    ON CONFLICT (uid) DO UPDATE SET name = excluded.name, about = excluded.about,
    display_receipts = excluded.display_receipts, who_may_add_me = excluded.who_may_add_me,
    disabled = excluded.disabled, saved_at = excluded.saved_at, touched = excluded.touched"""
_SET_HASH: Final = """
    UPDATE account SET password_hash = $2
    WHERE uid = $1 AND password_hash = coalesce($3, password_hash)"""


class PostgresAccounts:
    """Accounts by uid. See `ports/accounts.py`."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._fetch = connections.fetch

    async def create(self, profile: Profile, password_hash: str, at: int) -> None:
        """A new account. Raises WebchatError(CONFLICT)."""

        async def run(connection: Connection) -> None:
            # Of two that give the same uid at once one waits here for the other.
            if not await connection.fetch(_GIVE, fold(profile.uid).encode()):
                raise WebchatError(Code.CONFLICT, f"the user id {profile.uid} is taken")
            await _save(connection, profile, at)
            await connection.execute(_SET_HASH, profile.uid, password_hash, None)

        await self._connections.transact(run)

    async def profile(self, uid: Uid) -> Profile | None:
        """The profile, or None."""
        found = await self._read(_PROFILE, uid)
        return found[0] if found else None

    async def password_hash(self, uid: Uid) -> str | None:
        """The password's hash, or None."""
        rows = await self._fetch("SELECT password_hash FROM account WHERE uid = $1", uid)
        return str(rows[0][0]) if rows else None

    async def change_profile(
        self, uid: Uid, fields: Mapping[str, object], at: int, make: Profile | None = None
    ) -> Changed | None:
        """Write these fields of a profile and no others."""

        async def run(connection: Connection) -> Changed | None:
            if make is not None:
                await connection.fetch(_GIVE, fold(uid).encode())
                await connection.execute(_MAKE, *_columns(make), at)
            # Of those who change one at once each waits here until the one before has committed.
            rows = await connection.fetch(f"{_PROFILE} FOR UPDATE", uid)
            if not rows:
                return None
            before = profile_of(rows[0])
            after = msgspec.structs.replace(before, **fields)
            await _save(connection, after, at)
            return Changed(before, after)

        return await self._connections.transact(run)

    async def save_password(
        self, uid: Uid, password_hash: str, expected: str | None = None
    ) -> bool:
        """Write the password's hash of an existing account, if it is `expected` until then."""
        return await self._connections.execute(_SET_HASH, uid, password_hash, expected) > 0

    async def search(self, prefix: str, after: Uid, limit: int) -> Sequence[Profile]:
        """Enabled accounts with a term that begins with `prefix`, by the index of terms."""
        first = fold(prefix).encode()
        rows = await search(self._connections, _SEARCH, first, after, limit)
        return [profile_of(row) for row in rows]

    async def recent(self, limit: int) -> Sequence[Profile]:
        """The accounts last added or saved, newest first."""
        return await self._read(_RECENT, bounded(limit))

    async def careful_among(self, uids: Sequence[Uid]) -> AbstractSet[Uid]:
        """Those of `uids` who want to be asked by strangers."""
        return {uid for (uid,) in await self._fetch(_CAREFUL, uids)}

    async def page(self, after: Uid, limit: int) -> Sequence[Profile]:
        """All accounts with uid > `after`, by uid."""
        return await self._read(_PAGE, after, bounded(limit))

    async def _read(self, query: str, *values: object) -> list[Profile]:
        return [profile_of(row) for row in await self._fetch(query, *values)]


def profile_of(row: Sequence[Any]) -> Profile:
    """The Profile of a row of PROFILE_COLUMNS."""
    uid, name, about, display_receipts, who_may_add_me, disabled = row
    return Profile(uid, name.decode(), about.decode(), display_receipts, who_may_add_me, disabled)


async def _save(connection: Connection, profile: Profile, at: int) -> None:
    await connection.execute(_SAVE, *_columns(profile), at)
    await index_terms(connection, profile)


def _columns(profile: Profile) -> tuple[object, ...]:
    said = (profile.name.encode(), profile.about.encode(), profile.display_receipts)
    return (profile.uid, *said, profile.who_may_add_me, profile.disabled)


async def index_terms(connection: Connection, profile: Profile) -> None:
    """Make the profile found by its terms, or by none if it is disabled."""
    await connection.execute("DELETE FROM account_term WHERE uid = $1", profile.uid)
    terms = [] if profile.disabled else [term.encode() for term in search_terms(profile)]
    insert = "INSERT INTO account_term SELECT term, $1 FROM unnest($2::bytea[]) AS said (term)"
    await connection.execute(insert, profile.uid, terms)

"""The ports of logs and members on SQLite: writes are queued, reads go beside them."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import partial
from typing import Final

from webchat.adapters.sqlite.changes import GROUP_COLUMNS, group_of
from webchat.adapters.sqlite.entries import (
    after_each,
    begins_after,
    joined,
    newest_after,
    newest_before,
)
from webchat.adapters.sqlite.heads import Heads
from webchat.adapters.sqlite.keys import ENTRY_COLUMNS, entry_of
from webchat.adapters.sqlite.ledger import Ledger
from webchat.adapters.sqlite.logs import Logs
from webchat.adapters.sqlite.reader import (
    MAX_INTEGER,
    Reading,
    around_damage,
    as_list,
    bounded,
    first_row,
)
from webchat.adapters.sqlite.searching import Search, search
from webchat.adapters.sqlite.writer import Writer
from webchat.model import GROUP_PREFIX, ConvID, Entry, Group, Head, Membership, Seq, Uid
from webchat.ports.accounts import fold
from webchat.ports.log import Append, AppendDone, check_append

_ENTRIES: Final = f"""
    SELECT {ENTRY_COLUMNS} FROM entry
    WHERE log = (SELECT id FROM log WHERE name = ?)"""  # noqa: S608
_SPANS: Final = """
    SELECT log.name, uid, since, until, role FROM member JOIN log ON log.id = member.log"""
_NEWEST_SPANS: Final = f"""{_SPANS} WHERE uid = ?1 AND since =
    (SELECT max(since) FROM member AS own WHERE own.log = member.log AND own.uid = ?1)"""  # noqa: S608

_SPANS_OF_ONE: Final = f"{_SPANS} WHERE log.name = ? AND uid = ? ORDER BY since LIMIT ?"
_FEW_SPANS: Final = 100
"""Few come and go more often: so many are read by the loop itself."""

_REACTIONS: Final = """
    SELECT uid, body FROM reaction
    WHERE log = (SELECT id FROM log WHERE name = ?) AND seq = ? AND uid >= ?
    ORDER BY uid LIMIT ?"""
_MEMBERS_AT: Final = """
    SELECT uid FROM member INDEXED BY member_since
    WHERE log = (SELECT id FROM log WHERE name = ?1)
    AND since <= ?2 AND (until IS NULL OR until > ?2) ORDER BY since, uid LIMIT ?3"""
# From those present now back to then: costs what changed since, not what the group counts.
_COUNT_AT: Final = """
    SELECT members
    - (SELECT count(*) FROM member WHERE log = log.id AND since > ?2)
    + (SELECT count(*) FROM member WHERE log = log.id AND until > ?2)
    FROM log WHERE name = ?1"""
_PRESENT_AMONG: Final = """
    SELECT log.name, uid, since, until, role FROM json_each(?) AS asked
    CROSS JOIN log ON log.name = ?
    CROSS JOIN member ON member.log = log.id AND uid = asked.value
    WHERE until IS NULL"""
# One look at the conversations of each who is asked for: no pair of these and those that `uid` is
# in is looked at by itself.
_SHARING: Final = """
    WITH own AS MATERIALIZED (SELECT log FROM member WHERE uid = ?1 AND until IS NULL)
    SELECT DISTINCT asked.value FROM json_each(?2) AS asked
    CROSS JOIN member AS other ON other.uid = asked.value
    CROSS JOIN own ON own.log = other.log WHERE until IS NULL"""
_GROUP: Final = f"""
    SELECT {GROUP_COLUMNS} FROM chat_group JOIN log ON log.id = chat_group.log
    WHERE log.name = ?"""  # noqa: S608
_IS_FOUND: Final = "public AND NOT closed AND folded >= ?1 AND folded < ?2"
_LAST_GROUP: Final = f"{GROUP_PREFIX}~"
# CROSS JOIN: in this order, whatever SQLite takes for the fewer.
_PUBLIC: Final = Search(
    count=f"SELECT count(*) FROM (SELECT 1 FROM chat_group WHERE {_IS_FOUND} LIMIT ?3)",  # noqa: S608
    few=f"""
        SELECT {GROUP_COLUMNS} FROM chat_group CROSS JOIN log ON log.id = chat_group.log
        WHERE {_IS_FOUND} AND log.name > ?3 ORDER BY log.name LIMIT ?4""",  # noqa: S608
    many=f"""
        SELECT {GROUP_COLUMNS} FROM log CROSS JOIN chat_group ON chat_group.log = log.id
        WHERE {_IS_FOUND} AND log.name > ?3 AND log.name <= ?5 ORDER BY log.name LIMIT ?4""",  # noqa: S608
    id_at=f"""
        SELECT name FROM log WHERE name > ? AND name < '{_LAST_GROUP}'
        ORDER BY name LIMIT 1 OFFSET ?""",  # noqa: S608
    last=_LAST_GROUP,
)


class SqliteLog:
    """Logs. See `ports/log.py`.

    Reads look into the tail first, as `entries.py` says. A page that lies in it wakes no thread.
    """

    def __init__(self, logs: Logs, writer: Writer, reader: Reading, ledger: Ledger) -> None:
        self._append = logs.append
        self._writer = writer
        self._reader = reader
        self._tail = ledger.tail
        self._tails = ledger.tails
        self._keys = ledger.keys
        self._heads = Heads(ledger)

    def append(self, request: Append, done: AppendDone) -> None:
        """Queue `request` for the next transaction."""
        check_append(request)
        self._writer.submit(self._append, request, done)

    async def read(self, conv: ConvID, after: Seq, limit: int) -> list[Entry]:
        """Up to `limit` entries with `Seq` > `after`, ascending."""
        query = f"{_ENTRIES} AND seq > ? ORDER BY seq LIMIT ?"
        newest = newest_after(self._tail(conv), conv, after, limit)
        if begins_after(newest, after):
            return newest
        found = await self._read(conv, query, (conv, bounded(after), bounded(limit)))
        return joined(found, newest)[:limit]

    async def read_each(
        self, places: Mapping[ConvID, Seq], limit: int
    ) -> Mapping[ConvID, list[Entry]]:
        """What comes after a place in each of many logs, by one query."""
        return await self._reader.brief(
            lambda db: after_each(db, self._tails(places), places, limit)
        )

    async def read_before(self, conv: ConvID, before: Seq | None, limit: int) -> list[Entry]:
        """The newest `limit` entries with `Seq` < `before`, ascending."""
        query = f"{_ENTRIES} AND seq < ? ORDER BY seq DESC LIMIT ?"
        end = bounded(MAX_INTEGER if before is None else before)
        newest = newest_before(self._tail(conv), conv, end, limit)
        if newest and len(newest) == limit:
            return newest
        newest_first = await self._read(conv, query, (conv, end, bounded(limit)))
        return joined(newest_first[::-1], newest)[-limit:] if limit else []

    async def find(self, conv: ConvID, sender: Uid, msg_id: str) -> Entry | None:
        """The entry with that key of idempotence."""
        tail = self._tail(conv)
        entry = None if tail is None else tail.with_key(conv, sender, msg_id, new=False)

        def run(db: sqlite3.Connection) -> Entry | None:
            log = db.execute("SELECT id FROM log WHERE name = ?", (conv,)).fetchone()
            row = log and self._keys.find(db, log[0], sender, msg_id)
            return entry_of(conv, row) if row else None

        return entry or await self._reader.brief(run)

    async def heads(self, convs: Sequence[ConvID]) -> Mapping[ConvID, Head]:
        """The heads of those that exist, by one query."""
        return await around_damage(
            self._reader,
            lambda db: self._heads.read(db, convs),
            lambda db: self._heads.read_less(db, convs),
        )

    async def reactions(
        self, conv: ConvID, seqs: Sequence[Seq], limit: int, since: Uid = ""
    ) -> Mapping[Seq, Mapping[Uid, str]]:
        """Who reacted how to these entries, of each up to `limit` from `since` on."""

        def run(db: sqlite3.Connection) -> dict[Seq, dict[Uid, str]]:
            asked = ((seq, (conv, bounded(seq), since, bounded(limit))) for seq in seqs)
            found = {seq: dict(db.execute(_REACTIONS, place).fetchall()) for seq, place in asked}
            return {seq: reactions for seq, reactions in found.items() if reactions}

        return await self._reader.read(run)

    async def _read(self, conv: ConvID, query: str, parameters: tuple[object, ...]) -> list[Entry]:
        def run(db: sqlite3.Connection) -> list[Entry]:
            return [entry_of(conv, row) for row in db.execute(query, parameters)]

        return await self._reader.read(run)


class SqliteMembers:
    """Who is, or was, in which conversation. See `ports/members.py`."""

    def __init__(self, reader: Reading) -> None:
        self._reader = reader

    async def of_user(self, uid: Uid) -> Sequence[Membership]:
        """The newest span of each conversation."""
        return await self._read(_NEWEST_SPANS, (uid,))

    async def spans(self, conv: ConvID, uid: Uid) -> Sequence[Membership]:
        """All spans of a user in a conversation, ascending."""
        few = (conv, uid, _FEW_SPANS + 1)
        rows = await self._reader.brief(lambda db: db.execute(_SPANS_OF_ONE, few).fetchall())
        if len(rows) <= _FEW_SPANS:
            return [Membership(*row) for row in rows]
        return await self._read(_SPANS_OF_ONE, (conv, uid, MAX_INTEGER))

    async def page(self, conv: ConvID, after: Uid, limit: int) -> Sequence[Membership]:
        """Present members with uid > `after`, by uid."""
        query = f"{_SPANS} WHERE log.name = ? AND until IS NULL AND uid > ? ORDER BY uid LIMIT ?"
        return await self._read(query, (conv, after, bounded(limit)))

    async def count(self, conv: ConvID) -> int:
        """How many present members; costs one row."""
        row = await first_row(self._reader, "SELECT members FROM log WHERE name = ?", (conv,))
        return 0 if row is None else int(row[0])

    async def at(self, conv: ConvID, seq: Seq, limit: int) -> tuple[Sequence[Uid], int]:
        """The members as of entry `seq`, and how many they are."""
        place = (conv, bounded(seq))

        def run(db: sqlite3.Connection) -> tuple[Sequence[Uid], int]:
            # Two queries may see two moments, but the past is the same in both.
            rows = db.execute(_MEMBERS_AT, (*place, bounded(limit))).fetchall()
            counted = db.execute(_COUNT_AT, place).fetchone()
            return [uid for (uid,) in rows], 0 if counted is None else int(counted[0])

        return await self._reader.read(run)

    async def group(self, conv: ConvID) -> Group | None:
        """What is true of a group."""
        row = await first_row(self._reader, _GROUP, (conv,))
        return None if row is None else group_of(row)

    async def public(self, prefix: str, after: ConvID, limit: int) -> Sequence[Group]:
        """Public groups whose name begins with `prefix`, by conv."""
        after = max(after, GROUP_PREFIX)  # pairs come before all groups
        asked = partial(search, asked=_PUBLIC, prefix=fold(prefix), after=after, limit=limit)
        return [group_of(row) for row in await self._reader.read(asked)]

    async def present_among(self, conv: ConvID, uids: Sequence[Uid]) -> Mapping[Uid, Membership]:
        """The open spans of those of `uids` who are members now."""
        found = await self._read(_PRESENT_AMONG, (as_list(uids), conv))
        return {span.uid: span for span in found}

    async def successor(self, conv: ConvID, uid: Uid) -> Membership | None:
        """The first admin but `uid` that came in, else the first member."""
        for others in ("role = 'admin' AND until IS NULL", "until IS NULL"):
            query = f"""{_SPANS} WHERE log.name = ? AND uid <> ? AND {others}
                ORDER BY since, uid LIMIT 1"""
            for span in await self._read(query, (conv, uid)):
                return span
        return None

    async def sharing(self, uid: Uid, others: Sequence[Uid]) -> AbstractSet[Uid]:
        """Those of `others` who are in a conversation with `uid`."""
        parameters = (uid, as_list(others))
        rows = await self._reader.read(lambda db: db.execute(_SHARING, parameters).fetchall())
        return {other for (other,) in rows}

    async def _read(self, query: str, parameters: tuple[object, ...]) -> list[Membership]:
        rows = await self._reader.read(lambda db: db.execute(query, parameters).fetchall())
        return [Membership(*row) for row in rows]

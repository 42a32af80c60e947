"""The ports of logs and members on PostgreSQL: writes are queued, reads go beside them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Final

from webchat.adapters.postgresql.connections import Connections
from webchat.adapters.postgresql.searching import Search, search
from webchat.adapters.postgresql.values import (
    ENTRY_COLUMNS,
    GROUP_COLUMNS,
    bounded,
    entry_of,
    group_of,
)  # fmt: skip
from webchat.adapters.postgresql.writer import Writer
from webchat.model import GROUP_PREFIX, ConvID, Entry, Group, Head, Membership, Seq, Uid
from webchat.ports.accounts import fold
from webchat.ports.log import Append, AppendDone, check_append

_LOG: Final = "(SELECT id FROM log WHERE name = $1)"
_ENTRIES: Final = f"SELECT {ENTRY_COLUMNS} FROM entry WHERE log = {_LOG}"  # noqa: S608
_AFTER: Final = f"{_ENTRIES} AND seq > $2 ORDER BY seq LIMIT $3"
_BEFORE: Final = f"{_ENTRIES} AND seq < $2 ORDER BY seq DESC LIMIT $3"
_BY_KEY: Final = f"{_ENTRIES} AND sender = $2 AND msg_id = $3 AND msg_id <> ''"
_HEADS: Final = """
    SELECT name, last, n, at, members_seq FROM log WHERE name = ANY($1::text[]) AND last > 0"""
_AFTER_EACH: Final = f"""
    SELECT asked.conv, said.* FROM unnest($1::text[], $2::bigint[]) AS asked (conv, place)
    JOIN log ON log.name = asked.conv CROSS JOIN LATERAL (
        SELECT {ENTRY_COLUMNS} FROM entry WHERE entry.log = log.id AND seq > place
        ORDER BY seq LIMIT $3
    ) AS said"""  # noqa: S608
# LATERAL with OFFSET or LIMIT: each asked for is a look into an index of its own. Else a plan may
# read all of a large group to find a few.
_REACTIONS: Final = f"""
    SELECT seq, uid, body FROM unnest($2::bigint[]) AS asked (one) CROSS JOIN LATERAL (
        SELECT * FROM reaction WHERE log = {_LOG} AND seq = one AND uid >= $3
        ORDER BY uid LIMIT $4
    ) AS said"""  # noqa: S608

_SPANS: Final = """
    SELECT log.name, uid, since, until, role FROM member JOIN log ON log.id = member.log"""
_NEWEST_SPANS: Final = """
    SELECT log.name, uid, since, until, role FROM (
        SELECT DISTINCT ON (log) * FROM member WHERE uid = $1 ORDER BY log, since DESC
    ) AS newest JOIN log ON log.id = newest.log"""
_SPANS_OF: Final = f"{_SPANS} WHERE log = {_LOG} AND uid = $2 ORDER BY since"
_PAGE: Final = f"""
    {_SPANS} WHERE log = {_LOG} AND until IS NULL AND uid > $2 ORDER BY uid LIMIT $3"""
_PRESENT_AMONG: Final = f"""
    SELECT $1::text, uid, since, until, role
    FROM unnest($2::text[]) AS asked (one) CROSS JOIN LATERAL (
        SELECT * FROM member WHERE log = {_LOG} AND uid = one AND until IS NULL LIMIT 1
    ) AS present"""  # noqa: S608
_SUCCESSOR: Final = f"""
    {_SPANS} WHERE log = {_LOG} AND uid <> $2 AND until IS NULL ORDER BY since, uid LIMIT 1"""
_ADMIN: Final = f"""
    {_SPANS} WHERE log = {_LOG} AND uid <> $2 AND role = 'admin' AND until IS NULL
    ORDER BY since, uid LIMIT 1"""
_MEMBERS_AT: Final = f"""
    SELECT uid FROM member WHERE log = {_LOG} AND since <= $2 AND (until IS NULL OR until > $2)
    ORDER BY since, uid LIMIT $3"""  # noqa: S608
# From those present now back to then: costs what changed since, not what the group counts.
_COUNT_AT: Final = """
    SELECT members
    - (SELECT count(*) FROM member WHERE log = log.id AND since > $2)
    + (SELECT count(*) FROM member WHERE log = log.id AND until > $2)
    FROM log WHERE name = $1"""
# A hash of the conversations that `uid` is in, and one look at those of each who is asked for: no
# pair of both is looked at by itself. OFFSET 0: or an index of who is present is read whole.
_SHARING: Final = """
    WITH own AS (SELECT log, until FROM member WHERE uid = $1 OFFSET 0)
    SELECT asked FROM unnest($2::text[]) AS asked CROSS JOIN LATERAL (
        SELECT bool_or(log IN (SELECT log FROM own WHERE until IS NULL)) AS is_shared
        FROM (SELECT log, until FROM member WHERE uid = asked OFFSET 0) AS other
        WHERE until IS NULL
    ) AS met WHERE is_shared"""
_GROUP: Final = f"""
    SELECT {GROUP_COLUMNS} FROM chat_group JOIN log ON log.id = chat_group.log
    WHERE log.name = $1"""  # noqa: S608
_FOUND: Final = "chat_group WHERE public AND NOT closed AND folded >= $1 AND folded < $2"
_IS_GROUP: Final = f"name < '{GROUP_PREFIX}~'"
# OFFSET 0 keeps the subqueries looks into an index, for each of those before them.
_PUBLIC: Final = Search(
    count=f"SELECT count(*) FROM (SELECT 1 FROM {_FOUND} LIMIT $3) AS found",  # noqa: S608
    few=f"""
        SELECT {GROUP_COLUMNS} FROM (SELECT * FROM {_FOUND} OFFSET 0) AS chat_group
        CROSS JOIN LATERAL (SELECT name FROM log WHERE id = chat_group.log OFFSET 0) AS log
        WHERE log.name > $3 ORDER BY log.name LIMIT $4""",  # noqa: S608
    many=f"""
        SELECT {GROUP_COLUMNS}
        FROM (SELECT * FROM log WHERE name > $3 AND {_IS_GROUP} ORDER BY name LIMIT $5) AS log
        CROSS JOIN LATERAL (SELECT * FROM {_FOUND} AND log = log.id OFFSET 0) AS chat_group
        ORDER BY log.name LIMIT $4""",  # noqa: S608
    id_at=f"SELECT name FROM log WHERE name > $1 AND {_IS_GROUP} ORDER BY name LIMIT 1 OFFSET $2",  # noqa: S608
)


class PostgresLog:
    """Logs. See `ports/log.py`."""

    def __init__(self, writer: Writer, reader: Connections) -> None:
        self._submit = writer.submit
        self._fetch = reader.fetch

    def append(self, request: Append, done: AppendDone) -> None:
        """Queue `request` for the next commit."""
        check_append(request)
        self._submit(request, done)

    async def read(self, conv: ConvID, after: Seq, limit: int) -> list[Entry]:
        """Up to `limit` entries with `Seq` > `after`, ascending."""
        rows = await self._fetch(_AFTER, conv, bounded(after), bounded(limit))
        return [entry_of(conv, row) for row in rows]

    async def read_each(
        self, places: Mapping[ConvID, Seq], limit: int
    ) -> Mapping[ConvID, list[Entry]]:
        """What comes after a place in each of many logs, by one query."""
        found: defaultdict[ConvID, list[Entry]] = defaultdict(list)
        after = [bounded(seq) for seq in places.values()]
        for conv, *row in await self._fetch(_AFTER_EACH, list(places), after, bounded(limit)):
            found[conv].append(entry_of(conv, row))
        return found

    async def read_before(self, conv: ConvID, before: Seq | None, limit: int) -> list[Entry]:
        """The newest `limit` entries with `Seq` < `before`, ascending."""
        end = bounded(2**63 if before is None else before)
        rows = await self._fetch(_BEFORE, conv, end, bounded(limit))
        return [entry_of(conv, row) for row in reversed(rows)]

    async def find(self, conv: ConvID, sender: Uid, msg_id: str) -> Entry | None:
        """The entry with that key of idempotence."""
        rows = await self._fetch(_BY_KEY, conv, sender, msg_id.encode())
        return entry_of(conv, rows[0]) if rows else None

    async def heads(self, convs: Sequence[ConvID]) -> Mapping[ConvID, Head]:
        """The heads of those that exist, by one query."""
        rows = await self._fetch(_HEADS, convs)
        return {name: Head(*head) for name, *head in rows}

    async def reactions(
        self, conv: ConvID, seqs: Sequence[Seq], limit: int, since: Uid = ""
    ) -> Mapping[Seq, Mapping[Uid, str]]:
        """Who reacted how to these entries, of each up to `limit` from `since` on."""
        asked = [bounded(seq) for seq in seqs]
        rows = await self._fetch(_REACTIONS, conv, asked, since, bounded(limit))
        reactions: defaultdict[Seq, dict[Uid, str]] = defaultdict(dict)
        for seq, uid, body in rows:
            reactions[seq][uid] = body.decode()
        return reactions


class PostgresMembers:
    """Who is, or was, in which conversation. See `ports/members.py`."""

    def __init__(self, reader: Connections) -> None:
        self._connections = reader
        self._fetch = reader.fetch

    async def of_user(self, uid: Uid) -> Sequence[Membership]:
        """The newest span of each conversation."""
        return await self._read(_NEWEST_SPANS, uid)

    async def spans(self, conv: ConvID, uid: Uid) -> Sequence[Membership]:
        """All spans of a user in a conversation, ascending."""
        return await self._read(_SPANS_OF, conv, uid)

    async def page(self, conv: ConvID, after: Uid, limit: int) -> Sequence[Membership]:
        """Present members with uid > `after`, by uid."""
        return await self._read(_PAGE, conv, after, bounded(limit))

    async def count(self, conv: ConvID) -> int:
        """How many present members; costs one row."""
        rows = await self._fetch("SELECT members FROM log WHERE name = $1", conv)
        return int(rows[0][0]) if rows else 0

    async def at(self, conv: ConvID, seq: Seq, limit: int) -> tuple[Sequence[Uid], int]:
        """The members as of entry `seq`, and how many they are."""
        # Two queries may see two moments, but the past is the same in both.
        rows = await self._fetch(_MEMBERS_AT, conv, bounded(seq), bounded(limit))
        counted = await self._fetch(_COUNT_AT, conv, bounded(seq))
        return [uid for (uid,) in rows], int(counted[0][0]) if counted else 0

    async def group(self, conv: ConvID) -> Group | None:
        """What is true of a group."""
        rows = await self._fetch(_GROUP, conv)
        return group_of(rows[0]) if rows else None

    async def public(self, prefix: str, after: ConvID, limit: int) -> Sequence[Group]:
        """Public groups whose name begins with `prefix`, by conv."""
        after = max(after, GROUP_PREFIX)  # pairs come before all groups
        first = fold(prefix).encode()
        rows = await search(self._connections, _PUBLIC, first, after, limit)
        return [group_of(row) for row in rows]

    async def present_among(self, conv: ConvID, uids: Sequence[Uid]) -> Mapping[Uid, Membership]:
        """The open spans of those of `uids` who are members now."""
        found = await self._read(_PRESENT_AMONG, conv, uids)
        return {span.uid: span for span in found}

    async def successor(self, conv: ConvID, uid: Uid) -> Membership | None:
        """The first admin but `uid` that came in, else the first member."""
        for query in (_ADMIN, _SUCCESSOR):
            for span in await self._read(query, conv, uid):
                return span
        return None

    async def sharing(self, uid: Uid, others: Sequence[Uid]) -> AbstractSet[Uid]:
        """Those of `others` who are in a conversation with `uid`."""
        return {other for (other,) in await self._fetch(_SHARING, uid, others)}

    async def _read(self, query: str, *values: object) -> list[Membership]:
        return [Membership(*row) for row in await self._fetch(query, *values)]

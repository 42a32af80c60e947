"""What a user follows, on PostgreSQL: each by one query."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from webchat.adapters.postgresql.connections import Connections
from webchat.adapters.postgresql.values import ENTRY_COLUMNS, MAX_BIGINT, bounded, entry_of
from webchat.model import NO_HEAD, Head, Membership, Uid, user_log
from webchat.ports.following import Activity, Followed, Seen

_NEWEST_SPANS: Final = """
    SELECT DISTINCT ON (log) * FROM member WHERE uid = $1 ORDER BY log, since DESC"""
# With the own log, which is in no span.
_FOLLOWED: Final = f"""
    SELECT log.name, since, until, role, last, n, at, members_seq
    FROM ({_NEWEST_SPANS}) AS newest JOIN log ON log.id = newest.log
    UNION ALL
    SELECT name, NULL, NULL, NULL, last, n, at, members_seq FROM log WHERE name = $2"""  # noqa: S608
# Heads say when something last happened, but for what was left; entries are read of the page alone.
_NEWEST: Final = f"""
    SELECT name, since, until, role, {ENTRY_COLUMNS} FROM (
        SELECT * FROM (
            SELECT newest.*, name, coalesce(until, last) AS place, CASE
                WHEN until IS NULL THEN log.at
                ELSE (SELECT at FROM entry WHERE entry.log = newest.log AND seq = until)
            END AS seen_at
            FROM ({_NEWEST_SPANS}) AS newest JOIN log ON log.id = newest.log
        ) AS seen WHERE (seen_at, name) < ($2, $3) ORDER BY seen_at DESC, name DESC LIMIT $4
    ) AS page JOIN entry ON entry.log = page.log AND seq = place
    ORDER BY seen_at DESC, name DESC"""  # noqa: S608


class PostgresFollowing:
    """See `ports/following.py`."""

    def __init__(self, reader: Connections) -> None:
        self._fetch = reader.fetch

    async def of(self, uid: Uid) -> Followed:
        """What the user follows, all as of one moment."""
        own = user_log(uid)
        memberships, heads = [], {}
        for conv, since, until, role, *head in await self._fetch(_FOLLOWED, uid, own):
            if since is not None:
                memberships.append(Membership(conv, uid, since, until, role))
            if until is None and head[0]:
                heads[conv] = Head(*head)
        return Followed(memberships, heads, heads.get(own, NO_HEAD))

    async def newest(self, uid: Uid, before: Activity | None, limit: int) -> Sequence[Seen]:
        """Up to `limit` conversations of the user, those with the greatest activity first."""
        at, conv = before or (MAX_BIGINT, "")
        rows = await self._fetch(_NEWEST, uid, bounded(at), conv, bounded(limit))
        return [
            Seen(Membership(name, uid, since, until, role), entry_of(name, entry))
            for name, since, until, role, *entry in rows
        ]

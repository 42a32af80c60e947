"""What a user follows, on PostgreSQL: one query."""

from __future__ import annotations

from typing import Final

from webchat.adapters.postgresql.connections import Connections
from webchat.model import NO_HEAD, Head, Membership, Uid, user_log
from webchat.ports.following import Followed

# With the own log, which is in no span.
_FOLLOWED: Final = """
    SELECT log.name, since, until, role, last, n, at, members_seq FROM (
        SELECT DISTINCT ON (log) * FROM member WHERE uid = $1 ORDER BY log, since DESC
    ) AS newest JOIN log ON log.id = newest.log
    UNION ALL
    SELECT name, NULL, NULL, NULL, last, n, at, members_seq FROM log WHERE name = $2"""


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

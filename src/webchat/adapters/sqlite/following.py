"""What a user follows, on SQLite: two statements in one visit to a reading thread.

Each gives all it finds as one row of JSON, as in `heads.py`.
"""

from __future__ import annotations

import sqlite3
from typing import Final

import msgspec

from webchat.adapters.sqlite.heads import NEWEST, Heads
from webchat.adapters.sqlite.ledger import Ledger
from webchat.adapters.sqlite.reader import Reading
from webchat.model import NO_HEAD, ConvID, Head, Membership, Seq, Uid, user_log
from webchat.ports.following import Followed

_SPANS: Final = f"""
    SELECT (
        SELECT json_group_array(json_array(log.name, since, until, role))
        FROM member JOIN log ON log.id = member.log WHERE uid = ?1 AND since =
        (SELECT max(since) FROM member AS own WHERE own.log = member.log AND own.uid = ?1)
    ), (
        SELECT json_array(seq, n, at, members_seq)
        FROM log JOIN entry ON entry.log = log.id AND seq = {NEWEST} WHERE log.name = ?2
    )"""  # noqa: S608

_decode_spans: Final = msgspec.json.Decoder(list[tuple[ConvID, Seq, Seq | None, str]]).decode
_decode_head: Final = msgspec.json.Decoder(tuple[Seq, int, int, Seq]).decode


class SqliteFollowing:
    """See `ports/following.py`. The tail of a log is looked into before the tables, as ever."""

    def __init__(self, reader: Reading, ledger: Ledger) -> None:
        self._reader = reader
        self._heads = Heads(ledger)

    async def of(self, uid: Uid) -> Followed:
        """What the user follows."""
        own = user_log(uid)
        own_end = self._heads.end(own)

        def run(db: sqlite3.Connection) -> Followed:
            spans, head = db.execute(_SPANS, (uid, own)).fetchone()
            memberships = [
                Membership(conv, uid, since, until, role)
                for conv, since, until, role in _decode_spans(spans)
            ]
            present = [span.conv for span in memberships if span.until is None]
            before = NO_HEAD if head is None else Head(*_decode_head(head))
            heads = self._heads.read(db, [*present, own])
            return Followed(memberships, heads, max(before, own_end))

        return await self._reader.read(run)

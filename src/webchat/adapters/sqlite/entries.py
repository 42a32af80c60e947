"""Entries of a log's tail, and of the tables, as one.

What is asked of a tail is taken before the tables are read: what is folded between is in both, and
counts once. Taken afterwards, it would be in neither.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Final

from webchat.adapters.sqlite.keys import ENTRY_COLUMNS, entry_of
from webchat.adapters.sqlite.openlog import LogTail
from webchat.adapters.sqlite.reader import bounded
from webchat.model import ConvID, Entry, Seq

# In this order, each log by its index; no `Seq` is missing, so that `limit` bounds it.
_AFTER_EACH: Final = f"""
    SELECT asked.key, {ENTRY_COLUMNS} FROM json_each(?1) AS asked
    CROSS JOIN log ON log.name = asked.key
    CROSS JOIN entry ON entry.log = log.id AND seq > asked.value AND seq <= asked.value + ?2
    ORDER BY asked.id, seq"""  # noqa: S608


def newest_after(tail: LogTail | None, conv: ConvID, after: Seq, limit: int) -> list[Entry]:
    """What the tail has of the up to `limit` entries with `Seq` > `after`; `conv`: its log."""
    after = max(after, 0)
    return [] if tail is None else tail.between(conv, after, after + 1 + limit)


def newest_before(tail: LogTail | None, conv: ConvID, before: Seq, limit: int) -> list[Entry]:
    """What the tail has of the newest `limit` entries with `Seq` < `before`; `conv`: its log."""
    if tail is None:
        return []
    end = min(before, tail.last + 1)
    return tail.between(conv, end - 1 - limit, end)


def begins_after(newest: Sequence[Entry], after: Seq) -> bool:
    """Whether the tables have nothing between a place and what was found in the tail after it."""
    return bool(newest) and newest[0].seq <= max(after, 0) + 1


def joined(stored: list[Entry], newest: Sequence[Entry]) -> list[Entry]:
    """Entries of the tables, and those of the tail that come after them."""
    last = stored[-1].seq if stored else 0
    return stored + [entry for entry in newest if entry.seq > last]


def after_each(
    db: sqlite3.Connection,
    tails: Mapping[ConvID, LogTail],
    places: Mapping[ConvID, Seq],
    limit: int,
) -> Mapping[ConvID, list[Entry]]:
    """Up to `limit` entries after a place in each of many logs; those with none are left out.

    `tails`: of those that have one. The tables are asked once, for all logs whose tails do not have
    all that is asked for.
    """
    newest = {conv: newest_after(tail, conv, places[conv], limit) for conv, tail in tails.items()}
    asked = {
        conv: bounded(max(after, 0))
        for conv, after in places.items()
        if conv not in newest or not begins_after(newest[conv], after)
    }
    found: dict[ConvID, list[Entry]] = {}
    if asked:
        for conv, *row in db.execute(_AFTER_EACH, (json.dumps(asked), bounded(limit))).fetchall():
            found.setdefault(conv, []).append(entry_of(conv, row))
    for conv, entries in newest.items():
        if entries:
            found[conv] = joined(found.get(conv, []), entries)[:limit]
    return found

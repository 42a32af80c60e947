"""Pages of those whose name begins with what is searched for, in the order of their ids.

Knows nothing of who they are: the queries do.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from typing import Any, Final

from webchat.adapters.sqlite.reader import LAST_CHARACTER, bounded

_MANY_MATCHES: Final = 1_000
"""From here on all are looked at in order, at first: see `search`."""
_LOOKS_A_MATCH: Final = 10


@dataclass(frozen=True, slots=True)
class Search:
    """What a search asks. ?1 and ?2: where the names that match begin and end.

    `count`: how many match, of up to ?3. `few`: the first ?4 of them after the id ?3, by their
    names. `many`: the same up to the id ?5, by their ids. `id_at`: the id so many places, the
    second parameter, behind the one after the first. `last`: no id is behind it.
    """

    count: str
    few: str
    many: str
    id_at: str
    last: str = LAST_CHARACTER


def search(
    db: sqlite3.Connection, asked: Search, *, prefix: str, after: str, limit: int
) -> list[tuple[Any, ...]]:
    """Few matches are collected and sorted. Among many a page is mostly full after a look at a few
    ids; but all may come far behind: after many ids it is asked for more matches."""
    names = (prefix, prefix + LAST_CHARACTER)
    found: list[tuple[Any, ...]] = []
    many = _MANY_MATCHES
    while db.execute(asked.count, (*names, many)).fetchone() == (many,):
        far = db.execute(asked.id_at, (after, many * _LOOKS_A_MATCH)).fetchone()
        (end,) = far or (asked.last,)
        rest = bounded(limit - len(found))
        found += db.execute(asked.many, (*names, after, rest, end)).fetchall()
        if far is None or len(found) == limit:
            return found
        after, many = end, many * 10
    rest = bounded(limit - len(found))
    return found + db.execute(asked.few, (*names, after, rest)).fetchall()

"""Pages of those whose name begins with what is searched for, in the order of their ids.

Knows nothing of who they are: the queries do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from webchat.adapters.postgresql.connections import Connections
from webchat.adapters.postgresql.values import AFTER_ALL, Row, bounded

_MANY_MATCHES: Final = 1_000
"""From here on all are looked at in order, at first: see `search`."""
_LOOKS_A_MATCH: Final = 10


@dataclass(frozen=True, slots=True)
class Search:
    """What a search asks, of rows that begin with an id. $1 and $2: where the names that match
    begin and end.

    `count`: how many match, of up to $3. `few`: the first $4 of them after the id $3, by their
    names. `many`: the same among the $5 ids after that, by their ids. `id_at`: the id so many
    places, the second parameter, behind the one after the first.
    """

    count: str
    few: str
    many: str
    id_at: str


async def search(
    connections: Connections, asked: Search, prefix: bytes, after: str, limit: int
) -> list[Row]:
    """Few matches are collected and sorted. Among many a page is mostly full after a look at a few
    ids; but all may come far behind: after many ids it is asked for more matches."""
    fetch, names = connections.fetch, (prefix, prefix + AFTER_ALL)
    found: list[Row] = []
    many = _MANY_MATCHES
    while (await fetch(asked.count, *names, many))[0][0] == many:
        looked_at, rest = many * _LOOKS_A_MATCH, bounded(limit - len(found))
        found += await fetch(asked.many, *names, after, rest, looked_at)
        if len(found) == limit:
            return found
        last = await fetch(asked.id_at, after, looked_at - 1)
        if not last:
            return found
        # One that was added meanwhile may have moved the last one that was looked at.
        after = max(last[0][0], *(row[0] for row in found[-1:]), "")
        many *= 10
    rest = bounded(limit - len(found))
    return [*found, *await fetch(asked.few, *names, after, rest)]

"""What a batch of appends reads under its locks, and the rows it writes: a statement a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any, Final

from webchat.adapters.postgresql.batch import (
    Key,
    Known,
    Person,
    Place,
    Rows,
    Written,
    keys_of,
    logs_of,
    people_of,
    places_of,
    said_keys,
)  # fmt: skip
from webchat.adapters.postgresql.connections import Connection
from webchat.model import NO_HEAD, ConvID, Group, Head, Invitation, Membership, Position
from webchat.ports.accounts import fold
from webchat.ports.log import Append

Ids = Mapping[ConvID, int]

# Both in one order on every node, so that no two wait for each other.
MAKE_LOGS: Final = """
    INSERT INTO log (name) SELECT name FROM unnest($1::text[]) AS asked (name)
    WHERE NOT EXISTS (SELECT 1 FROM log WHERE log.name = asked.name)
    ON CONFLICT DO NOTHING"""
_LOCK_LOGS: Final = """
    SELECT id, name, last, n, at, members_seq FROM log WHERE name = ANY($1::text[])
    ORDER BY id FOR NO KEY UPDATE"""
_ENTRY: Final = "seq, n, at, members_seq, kind, sender, msg_id, envelope"
_BY_KEY: Final = f"""
    SELECT asked.conv, {_ENTRY} FROM unnest($1::text[], $2::bigint[], $3::text[], $4::bytea[])
    AS asked (conv, log, by, key)
    JOIN entry ON entry.log = asked.log AND msg_id = key AND sender = by AND msg_id <> ''"""  # noqa: S608
_BY_PLACE: Final = f"""
    SELECT asked.conv, entry.{_ENTRY} FROM unnest($1::text[], $2::bigint[], $3::bigint[])
    AS asked (conv, log, place) JOIN entry ON entry.log = asked.log AND seq = place"""  # noqa: S608
# LATERAL with a LIMIT: or a plan may read the members of a large group to find a few.
_PEOPLE: Final = """
    SELECT asked.conv, asked.uid, since, role, delivered, displayed, n
    FROM unnest($1::text[], $2::bigint[], $3::text[]) AS asked (conv, log, uid)
    LEFT JOIN LATERAL (
        SELECT * FROM member WHERE log = asked.log AND uid = asked.uid AND until IS NULL LIMIT 1
    ) AS present ON true LEFT JOIN LATERAL (
        SELECT * FROM position WHERE log = asked.log AND uid = asked.uid LIMIT 1
    ) AS place ON true"""

_ENTRIES: Final = """
    INSERT INTO entry (log, seq, n, at, members_seq, kind, sender, msg_id, envelope)
    SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[],
    $6::text[], $7::text[], $8::bytea[], $9::bytea[])"""
_HEADS: Final = """
    UPDATE log SET last = said.last, n = said.n, at = said.at, members_seq = said.members_seq,
    members = members + came
    FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[])
    AS said (id, last, n, at, members_seq, came) WHERE log.id = said.id"""
_CHANGED: Final = """
    UPDATE entry SET envelope = said.envelope
    FROM unnest($1::bigint[], $2::bigint[], $3::bytea[]) AS said (log, seq, envelope)
    WHERE entry.log = said.log AND entry.seq = said.seq"""
_ENDED: Final = """
    DELETE FROM member USING unnest($1::bigint[], $2::text[], $3::bigint[])
    AS said (log, uid, since)
    WHERE member.log = said.log AND member.uid = said.uid AND member.since = said.since"""
_SPANS: Final = """
    INSERT INTO member (log, uid, since, until, role)
    SELECT * FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::text[])
    ON CONFLICT (log, uid, since) DO UPDATE SET until = excluded.until, role = excluded.role"""
_POSITIONS: Final = """
    INSERT INTO position (log, uid, delivered, displayed, n)
    SELECT * FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[])
    ON CONFLICT (log, uid) DO UPDATE
    SET delivered = excluded.delivered, displayed = excluded.displayed, n = excluded.n"""
_REACTIONS: Final = """
    INSERT INTO reaction (log, seq, uid, body, cause)
    SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::bytea[], $5::bigint[])
    ON CONFLICT (log, seq, uid) DO UPDATE SET body = excluded.body, cause = excluded.cause"""
_TAKEN_BACK: Final = """
    DELETE FROM reaction USING unnest($1::bigint[], $2::bigint[], $3::text[])
    AS said (log, seq, uid)
    WHERE reaction.log = said.log AND reaction.seq = said.seq AND reaction.uid = said.uid"""
_GROUPS: Final = """
    INSERT INTO chat_group
    (log, name, picture, history_open, announcements, public, closed, folded)
    SELECT * FROM unnest($1::bigint[], $2::bytea[], $3::bytea[], $4::boolean[], $5::boolean[],
    $6::boolean[], $7::boolean[], $8::bytea[])
    ON CONFLICT (log) DO UPDATE SET name = excluded.name, picture = excluded.picture,
    history_open = excluded.history_open, announcements = excluded.announcements,
    public = excluded.public, closed = excluded.closed, folded = excluded.folded"""
_INVITATIONS: Final = """
    INSERT INTO invitation (id, conv, uid, by, at)
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[])"""


async def lock_logs(connection: Connection, requests: Sequence[Append]) -> tuple[Known, Ids]:
    """Take the logs that `requests` may write to until the transaction ends, made if need be."""
    names = sorted(set(chain.from_iterable(map(logs_of, requests))))
    await connection.execute(MAKE_LOGS, names)
    known, ids = Known(), {}
    for log, name, *head in await connection.fetch(_LOCK_LOGS, names):
        ids[name] = log
        known.heads[name] = Head(*head)
    return known, ids


async def load(connection: Connection, known: Known, ids: Ids, requests: Sequence[Append]) -> None:
    """Read what `requests` ask to know of the logs that are locked."""
    places = chain.from_iterable(
        places_of(request, known.heads.get(request.conv, NO_HEAD)) for request in requests
    )
    await _load_entries(connection, known, ids, set(places))
    await _load_people(connection, known, ids, set(chain.from_iterable(map(people_of, requests))))
    keys = {(one.conv, *key) for one in requests for key in keys_of(one.drafts)}
    await load_keys(connection, known, ids, keys)
    if known.keys:
        await load_keys(connection, known, ids, _what_followed(known, requests))


async def write(connection: Connection, rows: Rows, known: Known, ids: Ids) -> None:
    """Write all `rows`."""
    logs = rows.heads.keys() | rows.came.keys()
    heads = [(ids[conv], known.heads[conv], rows.came.get(conv, 0)) for conv in logs]
    await write_rows(connection, _ENTRIES, (_entry(ids, each) for each in rows.entries))
    await write_rows(connection, _HEADS, (_head(*each) for each in heads))
    changed = rows.changed.items()
    await write_rows(
        connection, _CHANGED, ((ids[conv], seq, row.envelope) for (conv, seq), row in changed)
    )
    await write_rows(connection, _ENDED, ((ids[conv], *rest) for conv, *rest in rows.ended))
    await write_rows(connection, _SPANS, (_span(ids, each) for each in rows.spans.values()))
    # In one order on every node: moves take these rows without their log.
    positions = sorted(_position(ids, *each) for each in rows.positions.items())
    await write_rows(connection, _POSITIONS, positions)
    await _write_reactions(connection, rows, ids)
    await write_rows(
        connection, _GROUPS, (group_row(ids[conv], each) for conv, each in rows.groups.items())
    )
    await write_rows(connection, _INVITATIONS, map(_invitation, rows.invitations))


def _what_followed(known: Known, requests: Iterable[Append]) -> set[Key]:
    """The keys of user-log entries that `requests` met again had led to."""
    keys: set[Key] = set()
    for request in requests:
        for sender, msg_id in keys_of(request.drafts):
            met = known.keys.get((request.conv, sender, msg_id))
            for follow in request.follows(met.seq) if met is not None else ():
                keys.update(said_keys(follow, request.conv, met.seq if met else 0))
    return keys - known.keys.keys()


async def load_keys(connection: Connection, known: Known, ids: Ids, keys: set[Key]) -> None:
    """Read the entries that have one of `keys`."""
    asked = [(conv, ids[conv], by, key.encode()) for conv, by, key in keys if conv in ids]
    for row in await _read(connection, _BY_KEY, asked):
        found = _written(row)
        # The same entry may be known by its place.
        found = known.entries.setdefault((found.conv, found.seq), found)
        known.keys[found.conv, found.sender, found.msg_id] = found


async def _load_entries(connection: Connection, known: Known, ids: Ids, places: set[Place]) -> None:
    asked = [(conv, ids[conv], seq) for conv, seq in places]
    for row in await _read(connection, _BY_PLACE, asked):
        found = _written(row)
        known.entries[found.conv, found.seq] = found


async def _load_people(connection: Connection, known: Known, ids: Ids, people: set[Person]) -> None:
    asked = [(conv, ids[conv], uid) for conv, uid in people]
    for conv, uid, since, role, delivered, displayed, n in await _read(connection, _PEOPLE, asked):
        if since is not None:
            known.present[conv, uid] = Membership(conv, uid, since, None, role)
        if delivered is not None:
            known.positions[conv, uid] = Position(delivered, displayed, n)


async def _write_reactions(connection: Connection, rows: Rows, ids: Ids) -> None:
    said = [
        (ids[conv], seq, uid, body, by) for (conv, seq, uid), (body, by) in rows.reactions.items()
    ]
    kept = ((log, seq, uid, body.encode(), by) for log, seq, uid, body, by in said if body)
    await write_rows(connection, _REACTIONS, kept)
    gone = ((log, seq, uid) for log, seq, uid, body, _ in said if not body)
    await write_rows(connection, _TAKEN_BACK, gone)


async def _read(connection: Connection, query: str, asked: Sequence[Sequence[Any]]) -> list[Any]:
    rows: list[Any] = await connection.fetch(query, *zip(*asked, strict=True)) if asked else []
    return rows


async def write_rows(connection: Connection, query: str, rows: Iterable[Sequence[Any]]) -> None:
    """Write `rows` by one statement, which takes a list of each column; none: nothing."""
    if columns := list(zip(*rows, strict=True)):
        await connection.execute(query, *columns)


def _written(row: Sequence[Any]) -> Written:
    conv, seq, n, at, members_seq, kind, sender, msg_id, envelope = row
    return Written(conv, seq, n, at, members_seq, kind, sender, msg_id.decode(), envelope)


def _entry(ids: Ids, row: Written) -> Sequence[Any]:
    place = (ids[row.conv], row.seq, row.n, row.at, row.members_seq)
    return (*place, row.kind, row.sender, row.msg_id.encode(), row.envelope)


def _head(log: int, head: Head, came: int) -> Sequence[Any]:
    return (log, head.last, head.n, head.at, head.members_seq, came)


def _span(ids: Ids, span: Membership) -> Sequence[Any]:
    return (ids[span.conv], span.uid, span.since, span.until, span.role)


def _position(ids: Ids, person: Person, position: Position) -> tuple[int, str, int, int, int]:
    conv, uid = person
    return (ids[conv], uid, position.delivered, position.displayed, position.n)


def group_row(log: int | str, group: Group) -> Sequence[Any]:
    """The columns of a group's row; `log`: its id or, where that is looked up, its name."""
    said = (group.history_open, group.announcements, group.public, group.closed)
    return (log, group.name.encode(), group.picture.encode(), *said, fold(group.name).encode())


def _invitation(invitation: Invitation) -> Sequence[Any]:
    return (invitation.id, invitation.conv, invitation.uid, invitation.by, invitation.at)

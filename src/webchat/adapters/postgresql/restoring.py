"""How a page of records is written to the tables; what has a key and is there is left alone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from msgspec.structs import astuple

from webchat.adapters.postgresql.connections import Connection
from webchat.adapters.postgresql.tables import MAKE_LOGS, group_row, write_rows
from webchat.model import unseal
from webchat.ports.accounts import fold, search_terms
from webchat.ports.transfer import (
    AccountRecord,
    EntryRecord,
    GroupRecord,
    HeldRecord,
    InvitationRecord,
    KeptRecord,
    LinkRecord,
    LoginRecord,
    MemberRecord,
    PositionRecord,
    ReactionRecord,
)  # fmt: skip

_ENTRIES: Final = """
    INSERT INTO entry (log, seq, n, at, members_seq, kind, sender, msg_id, envelope)
    SELECT log.id, seq, said.n, said.at, said.members_seq, kind, sender, msg_id, envelope
    FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::text[],
    $7::text[], $8::bytea[], $9::bytea[])
    AS said (name, seq, n, at, members_seq, kind, sender, msg_id, envelope) JOIN log USING (name)
    ON CONFLICT DO NOTHING"""
_HEADS: Final = """
    UPDATE log SET last = said.last, n = said.n, at = said.at, members_seq = said.members_seq
    FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[])
    AS said (name, last, n, at, members_seq) WHERE log.name = said.name AND log.last < said.last"""
_REACTIONS: Final = """
    INSERT INTO reaction (log, seq, uid, cause, body) SELECT log.id, seq, uid, cause, body
    FROM unnest($1::text[], $2::bigint[], $3::text[], $4::bigint[], $5::bytea[])
    AS said (name, seq, uid, cause, body) JOIN log USING (name) ON CONFLICT DO NOTHING"""
_MEMBERS: Final = """
    WITH fresh AS (
        INSERT INTO member (log, uid, since, until, role) SELECT log.id, uid, since, until, role
        FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::text[])
        AS said (name, uid, since, until, role) JOIN log USING (name)
        ON CONFLICT DO NOTHING RETURNING log, until
    )
    UPDATE log SET members = members + came
    FROM (SELECT log, count(*) AS came FROM fresh WHERE until IS NULL GROUP BY log) AS counted
    WHERE log.id = counted.log"""
_GROUPS: Final = """
    INSERT INTO chat_group
    (log, name, picture, history_open, announcements, public, closed, folded)
    SELECT log.id, title, picture, history_open, announcements, public, closed, folded
    FROM unnest($1::text[], $2::bytea[], $3::bytea[], $4::boolean[], $5::boolean[], $6::boolean[],
    $7::boolean[], $8::bytea[])
    AS said (name, title, picture, history_open, announcements, public, closed, folded)
    JOIN log USING (name) ON CONFLICT DO NOTHING"""
_POSITIONS: Final = """
    INSERT INTO position (log, uid, delivered, displayed, n)
    SELECT log.id, uid, delivered, displayed, said.n
    FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[])
    AS said (name, uid, delivered, displayed, n) JOIN log USING (name) ON CONFLICT DO NOTHING"""
_ACCOUNTS: Final = """
    INSERT INTO account (uid, name, about, display_receipts, who_may_add_me, disabled,
    password_hash, saved_at, touched)
    SELECT uid, name, about, display_receipts, who_may_add_me, disabled, password_hash, saved_at,
    nextval('account_touch')
    FROM unnest($1::text[], $2::bytea[], $3::bytea[], $4::boolean[], $5::text[], $6::boolean[],
    $7::text[], $8::bigint[]) WITH ORDINALITY AS said (uid, name, about, display_receipts,
    who_may_add_me, disabled, password_hash, saved_at, place) ORDER BY place
    ON CONFLICT DO NOTHING"""
_GIVEN: Final = "INSERT INTO given_uid SELECT * FROM unnest($1::bytea[]) ON CONFLICT DO NOTHING"
_TERMS: Final = """
    INSERT INTO account_term SELECT * FROM unnest($1::bytea[], $2::text[]) ON CONFLICT DO NOTHING"""
_LOGINS: Final = """
    INSERT INTO login SELECT * FROM unnest($1::bytea[], $2::text[], $3::text[], $4::bigint[],
    $5::bigint[], $6::bigint[]) ON CONFLICT DO NOTHING"""
_KEEP: Final = """
    INSERT INTO kept_receipt (uid, envelope) SELECT uid, envelope
    FROM unnest($1::text[], $2::bytea[]) WITH ORDINALITY AS said (uid, envelope, place)
    ORDER BY place"""
_HELD: Final = """
    INSERT INTO held_message (conv, uid, kind, msg_id, envelope, at)
    SELECT conv, uid, kind, msg_id, envelope, at
    FROM unnest($1::text[], $2::text[], $3::text[], $4::bytea[], $5::bytea[], $6::bigint[])
    WITH ORDINALITY AS said (conv, uid, kind, msg_id, envelope, at, place) ORDER BY place"""
_INVITATIONS: Final = """
    INSERT INTO invitation (id, conv, uid, by, at) SELECT id, conv, uid, by, at
    FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[])
    WITH ORDINALITY AS said (id, conv, uid, by, at, place) ORDER BY place ON CONFLICT DO NOTHING"""
_LINKS: Final = """
    INSERT INTO invite_link SELECT * FROM unnest($1::bytea[], $2::text[], $3::text[], $4::text[],
    $5::bigint[], $6::bigint[]) ON CONFLICT DO NOTHING"""


async def _entries(connection: Connection, page: Sequence[EntryRecord]) -> None:
    await connection.execute(MAKE_LOGS, sorted({record.entry.conv for record in page}))
    rows, heads = [], {}
    for record in page:
        entry, draft = record.entry, unseal(record.entry)
        place = (entry.conv, entry.seq, entry.n, entry.at, record.members_seq)
        said = (draft.kind, draft.sender, draft.msg_id.encode(), draft.envelope)
        rows.append(place + said)
        heads[entry.conv] = place
    await write_rows(connection, _ENTRIES, rows)
    await write_rows(connection, _HEADS, heads.values())


async def _reactions(connection: Connection, page: Sequence[ReactionRecord]) -> None:
    rows = [(one.conv, one.seq, one.uid, one.by, one.body.encode()) for one in page if one.body]
    await write_rows(connection, _REACTIONS, rows)


async def _members(connection: Connection, page: Sequence[MemberRecord]) -> None:
    spans = [record.span for record in page]
    rows = [(span.conv, span.uid, span.since, span.until, span.role) for span in spans]
    await write_rows(connection, _MEMBERS, rows)


async def _groups(connection: Connection, page: Sequence[GroupRecord]) -> None:
    await write_rows(connection, _GROUPS, [group_row(one.group.conv, one.group) for one in page])


async def _positions(connection: Connection, page: Sequence[PositionRecord]) -> None:
    rows = [
        (one.conv, one.uid, one.position.delivered, one.position.displayed, one.position.n)
        for one in page
    ]
    await write_rows(connection, _POSITIONS, rows)


async def _accounts(connection: Connection, page: Sequence[AccountRecord]) -> None:
    rows, terms = [], []
    for record in page:
        who = record.profile
        said = (who.name.encode(), who.about.encode(), who.display_receipts, who.who_may_add_me)
        rows.append((who.uid, *said, who.disabled, record.password_hash, record.saved_at))
        found_by = () if who.disabled else search_terms(who)
        terms += [(term.encode(), who.uid) for term in found_by]
    await write_rows(connection, _ACCOUNTS, rows)
    await write_rows(connection, _GIVEN, [(fold(one.profile.uid).encode(),) for one in page])
    await write_rows(connection, _TERMS, terms)


async def _logins(connection: Connection, page: Sequence[LoginRecord]) -> None:
    rows = [(one.token_hash, *astuple(one.login)) for one in page]
    await write_rows(connection, _LOGINS, rows)


async def _kept(connection: Connection, page: Sequence[KeptRecord]) -> None:
    await write_rows(connection, _KEEP, [(one.uid, one.envelope) for one in page])


async def _held(connection: Connection, page: Sequence[HeldRecord]) -> None:
    rows = []
    for record in page:
        draft = record.draft
        said = (draft.kind, draft.msg_id.encode(), draft.envelope, record.at)
        rows.append((record.conv, draft.sender, *said))
    await write_rows(connection, _HELD, rows)


async def _invitations(connection: Connection, page: Sequence[InvitationRecord]) -> None:
    await write_rows(connection, _INVITATIONS, [astuple(record.invitation) for record in page])


async def _links(connection: Connection, page: Sequence[LinkRecord]) -> None:
    await write_rows(connection, _LINKS, [(one.code_hash, *astuple(one.link)) for one in page])


Restore = Callable[[Connection, Sequence[Any]], Awaitable[None]]

RESTORES: Final[Mapping[type, Restore]] = {
    EntryRecord: _entries, ReactionRecord: _reactions, MemberRecord: _members,
    GroupRecord: _groups, PositionRecord: _positions, AccountRecord: _accounts,
    LoginRecord: _logins, KeptRecord: _kept, HeldRecord: _held, InvitationRecord: _invitations,
    LinkRecord: _links,
}  # fmt: skip
"""How a page of records of one kind is written."""

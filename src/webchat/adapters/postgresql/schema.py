"""The tables of a PostgreSQL store, as steps from one version to the next.

Layout (docs/adr/0005-postgresql.md): conversations are integers; a log's row is its head, and the
lock by which nodes take turns; ids are text compared byte by byte, what people write is bytea,
which keeps every character. The hot tables have no foreign keys: each would cost a look per row.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from itertools import chain
from typing import Final

from webchat.adapters.postgresql.connections import SCHEMA, Connection
from webchat.ports.store import UNFINISHED_IMPORT, Mode, StoreRefused, made_in_other_mode

_FIRST: Final = (
    'CREATE TABLE property (name text COLLATE "C" PRIMARY KEY, value text NOT NULL)',
    # `last` 0: made for an append that is still to come. `members`: how many are present, so that
    # nobody has to count a million rows. Room in each page, so that an append changes no index.
    """CREATE TABLE log (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        last bigint NOT NULL DEFAULT 0,
        n bigint NOT NULL DEFAULT 0,
        at bigint NOT NULL DEFAULT 0,
        members_seq bigint NOT NULL DEFAULT 0,
        members bigint NOT NULL DEFAULT 0,
        name text COLLATE "C" NOT NULL UNIQUE
    ) WITH (fillfactor = 70)""",
    # `members_seq`: Seq of the last membership entry up to this one. `envelope`: the draft's.
    """CREATE TABLE entry (
        log bigint NOT NULL,
        seq bigint NOT NULL,
        n bigint NOT NULL,
        at bigint NOT NULL,
        members_seq bigint NOT NULL,
        kind text COLLATE "C" NOT NULL,
        sender text COLLATE "C" NOT NULL,
        msg_id bytea NOT NULL,
        envelope bytea NOT NULL,
        PRIMARY KEY (log, seq)
    )""",
    "CREATE UNIQUE INDEX entry_key ON entry (log, msg_id, sender) WHERE msg_id <> ''",
    """CREATE TABLE member (
        log bigint NOT NULL,
        since bigint NOT NULL,
        until bigint,
        uid text COLLATE "C" NOT NULL,
        role text COLLATE "C" NOT NULL,
        PRIMARY KEY (log, uid, since)
    )""",
    "CREATE INDEX member_by_user ON member (uid, log, since)",
    "CREATE UNIQUE INDEX member_present ON member (log, uid) WHERE until IS NULL",
    # Who was a member as of some Seq, in order; and how many, from what changed since.
    "CREATE INDEX member_since ON member (log, since, uid)",
    # Who is next: the first that came in, the first admin.
    "CREATE INDEX member_next ON member (log, since, uid) WHERE until IS NULL",
    "CREATE INDEX member_admin ON member (log, since, uid) WHERE role = 'admin' AND until IS NULL",
    "CREATE INDEX member_until ON member (log, until) WHERE until IS NOT NULL",
    # `folded`: the name as it is searched.
    """CREATE TABLE chat_group (
        log bigint PRIMARY KEY,
        name bytea NOT NULL,
        picture bytea NOT NULL,
        history_open boolean NOT NULL,
        announcements boolean NOT NULL,
        public boolean NOT NULL,
        closed boolean NOT NULL,
        folded bytea NOT NULL
    )""",
    "CREATE INDEX public_group ON chat_group (folded) WHERE public AND NOT closed",
    # `cause`: Seq of the entry that said so.
    """CREATE TABLE reaction (
        log bigint NOT NULL,
        seq bigint NOT NULL,
        cause bigint NOT NULL,
        uid text COLLATE "C" NOT NULL,
        body bytea NOT NULL,
        PRIMARY KEY (log, seq, uid)
    )""",
    """CREATE TABLE position (
        log bigint NOT NULL,
        delivered bigint NOT NULL,
        displayed bigint NOT NULL,
        n bigint NOT NULL,
        uid text COLLATE "C" NOT NULL,
        PRIMARY KEY (log, uid)
    ) WITH (fillfactor = 70)""",
    # `saved_at`, and `touched` of those saved in the same ms, order `recent`.
    "CREATE SEQUENCE account_touch",
    """CREATE TABLE account (
        uid text COLLATE "C" PRIMARY KEY,
        name bytea NOT NULL,
        about bytea NOT NULL,
        display_receipts boolean NOT NULL,
        who_may_add_me text COLLATE "C" NOT NULL,
        disabled boolean NOT NULL,
        password_hash text NOT NULL,
        saved_at bigint NOT NULL,
        touched bigint NOT NULL
    )""",
    "CREATE INDEX account_recent ON account (saved_at, touched)",
    # Uids ever given, folded; a row outlives its account.
    "CREATE TABLE given_uid (folded bytea PRIMARY KEY)",
    """CREATE TABLE account_term (
        term bytea NOT NULL,
        uid text COLLATE "C" NOT NULL,
        PRIMARY KEY (term, uid)
    )""",
    "CREATE INDEX account_term_by_uid ON account_term (uid, term)",
    """CREATE TABLE login (
        token_hash bytea PRIMARY KEY,
        id text COLLATE "C" NOT NULL UNIQUE,
        uid text COLLATE "C" NOT NULL,
        created_at bigint NOT NULL,
        last_used_at bigint NOT NULL,
        expires_at bigint NOT NULL
    )""",
    "CREATE INDEX login_by_user ON login (uid)",
    "CREATE INDEX login_expiry ON login (expires_at)",
    """CREATE TABLE revocation (
        id bigint PRIMARY KEY,
        uid text COLLATE "C" NOT NULL,
        login text COLLATE "C" NOT NULL,
        except_login text COLLATE "C" NOT NULL,
        at bigint NOT NULL
    )""",
    # A counter that is locked to the commit, so that ids are seen in their order.
    "CREATE TABLE revoked (last bigint NOT NULL)",
    "INSERT INTO revoked VALUES (0)",
    """CREATE TABLE kept_receipt (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        uid text COLLATE "C" NOT NULL,
        envelope bytea NOT NULL
    )""",
    "CREATE INDEX kept_receipt_by_user ON kept_receipt (uid, id)",
    # Of groups that have no log yet.
    """CREATE TABLE held_message (
        id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        at bigint NOT NULL,
        conv text COLLATE "C" NOT NULL,
        uid text COLLATE "C" NOT NULL,
        kind text COLLATE "C" NOT NULL,
        msg_id bytea NOT NULL,
        envelope bytea NOT NULL
    )""",
    "CREATE INDEX held_message_key ON held_message (conv, uid, msg_id)",
    "CREATE INDEX held_message_by_user ON held_message (uid)",
    "CREATE INDEX held_message_age ON held_message (at)",
    """CREATE TABLE invitation (
        number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        at bigint NOT NULL,
        id text COLLATE "C" NOT NULL UNIQUE,
        conv text COLLATE "C" NOT NULL,
        uid text COLLATE "C" NOT NULL,
        by text COLLATE "C" NOT NULL
    )""",
    "CREATE INDEX invitation_by_user ON invitation (uid, conv)",
    # `uses`: how many are left, NULL for no limit.
    """CREATE TABLE invite_link (
        code_hash bytea PRIMARY KEY,
        id text COLLATE "C" NOT NULL UNIQUE,
        conv text COLLATE "C" NOT NULL,
        by text COLLATE "C" NOT NULL,
        expires_at bigint NOT NULL,
        uses bigint
    )""",
    "CREATE INDEX invite_link_by_group ON invite_link (conv, expires_at)",
    "CREATE INDEX invite_link_expiry ON invite_link (expires_at)",
    # `said`: what the node says of itself, as JSON.
    """CREATE TABLE node (
        id text COLLATE "C" PRIMARY KEY,
        incarnation text COLLATE "C" NOT NULL,
        said bytea NOT NULL
    )""",
)

_SECOND: Final = (
    # Visits that used it, the newest last; of a link that is for a number of people.
    """ALTER TABLE invite_link ADD COLUMN visits text[] COLLATE "C" NOT NULL DEFAULT '{}'""",
    # Whether its user is about to come in by it.
    "ALTER TABLE invitation ADD COLUMN claimed boolean NOT NULL DEFAULT false",
)

STEPS: Final[Sequence[Sequence[str]]] = (_FIRST, _SECOND)
"""Step i brings a database from version i to i + 1. What was released is never changed. A release
has one new step at most, and that only adds: nodes of the release before go on working."""

VERSION: Final = len(STEPS)

_ONE_AT_A_TIME: Final = 0x77636874
"""The advisory lock that migrations hold: "wcht"."""
_TABLE_WAIT_MS: Final = 2_000
"""How long a migration waits for a table that is in use, and holds up all who come after it: as
long as it takes until autovacuum makes way, which is after `deadlock_timeout` (1 s)."""
_log = logging.getLogger(__name__)


async def version(connection: Connection) -> int:
    """The database's version; 0: there is no store in it."""
    table = await connection.fetchval("SELECT to_regclass($1)", f"{SCHEMA}.property")
    if table is None:
        return 0
    kept = await connection.fetchval("SELECT value FROM property WHERE name = 'version'")
    return 0 if kept is None else int(kept)


def check_version(found: int, shown: str) -> None:
    """Refuse what a node cannot serve; what the next version has made ready for itself it can.
    `shown`: the masked URL. Raises StoreRefused."""
    if found > VERSION + 1:
        raise StoreRefused(
            f"{shown} was written by a newer webchat (schema {found}, this one knows {VERSION}); "
            "use that version"
        )
    if found > VERSION:
        _log.warning("%s is ready for the next version of webchat, which is to serve it", shown)
    if found < VERSION:
        what = "an older webchat's" if found else "no webchat"
        raise StoreRefused(
            f"{shown} holds {what} store (schema {found}, this one needs {VERSION}); "
            "make it ready with: webchat store init --store URL"
        )


async def migrate(connection: Connection, shown: str) -> None:
    """Bring the database to VERSION, unless it is beyond; of two that try at once one waits.

    Raises StoreRefused, and asyncpg.LockNotAvailableError: a table is in use for long.
    """
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", _ONE_AT_A_TIME)
        await connection.execute(f"SET LOCAL lock_timeout = {_TABLE_WAIT_MS}")
        encoding = await connection.fetchval("SHOW server_encoding")
        if encoding != "UTF8":
            raise StoreRefused(f"{shown} is encoded in {encoding}; create a database in UTF8")
        await connection.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
        found = await version(connection)
        if found > VERSION:
            check_version(found, shown)
            return
        for statement in chain.from_iterable(STEPS[found:]):
            await connection.execute(statement)
        await connection.execute(
            """INSERT INTO property VALUES ('version', $1)
            ON CONFLICT (name) DO UPDATE SET value = excluded.value""",
            str(VERSION),
        )


async def settle_mode(connection: Connection, mode: Mode, shown: str) -> None:
    """Keep the mode of a new store; refuse another one than was kept. Raises StoreRefused."""
    await connection.execute(
        "INSERT INTO property VALUES ('mode', $1) ON CONFLICT (name) DO NOTHING", mode
    )
    kept = await connection.fetchval("SELECT value FROM property WHERE name = 'mode'")
    if kept != mode:
        raise made_in_other_mode(shown, kept, mode, "another database")
    if await connection.fetchval("SELECT 1 FROM property WHERE name = 'importing'"):
        raise StoreRefused(
            f"{shown} {UNFINISHED_IMPORT}: drop this database and import into a new one"
        )

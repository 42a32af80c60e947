"""What can be set about a PostgreSQL store."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PostgresSettings:
    """Bounds and times of a PostgreSQL store; the defaults suit one node of several.

    `max_batch`: appends and moves that become one commit. `max_waiting`: those that are queued;
    beyond, they are refused as UNAVAILABLE. `max_known_logs`: ids of logs that a node remembers.
    `read_connections`: connections for all but appends and moves, which have one of their own.
    `statement_timeout_ms`: how long one act may take, the server's pauses included; then it is
    UNAVAILABLE. `connect_timeout_ms`: how long a new connection may take; of several servers each
    has an equal share of it. `reconnect_min_ms`, `reconnect_max_ms`: pauses between attempts to
    connect, doubling. `keepalive_idle_s`, `keepalive_interval_s`: after how long without a word the
    server asks whether the node is still there, and how often it asks again.
    `idle_transaction_timeout_ms`: how long the locks of a node that has stopped may be in the way
    of others. `max_attempts`: how often a transaction is tried that the database broke off for
    another's sake.
    """

    max_batch: int = 1_000
    max_waiting: int = 100_000
    max_known_logs: int = 100_000
    read_connections: int = 4
    statement_timeout_ms: int = 5_000
    connect_timeout_ms: int = 3_000
    reconnect_min_ms: int = 50
    reconnect_max_ms: int = 1_000
    keepalive_idle_s: int = 60
    keepalive_interval_s: int = 10
    idle_transaction_timeout_ms: int = 2_000
    max_attempts: int = 5

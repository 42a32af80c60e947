"""What can be set about an SQLite store."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SqliteSettings:
    """Bounds and times of an SQLite store; the defaults suit one server process.

    `gather_ms`: how long the writer waits for more before it commits. `max_batch`: writes in one
    transaction. `max_waiting`: writes that are queued; beyond, they are refused as UNAVAILABLE.
    `max_heads`, `max_positions`: ends of logs and positions that the writer remembers.
    `max_unfolded_keys`: entries whose keys of idempotence are not in an index yet; a start reads
    as many. `busy_timeout_ms`: how long a write waits for
    another process's. `readers`: threads for reads. `wal_pages`: after how many pages the journal
    is folded into the file.
    """

    gather_ms: float = 0.0
    max_batch: int = 1_000
    max_waiting: int = 100_000
    max_heads: int = 50_000
    max_positions: int = 50_000
    max_unfolded_keys: int = 10_000
    busy_timeout_ms: int = 5_000
    readers: int = 2
    wal_pages: int = 4_000

"""What can be set about an SQLite store."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SqliteSettings:
    """Bounds and times of an SQLite store; the defaults suit one server process.

    `gather_ms`: how far apart commits begin at least, 0: as soon as they can; a writer that waits
    for each ack, with no others, is not held up. `max_batch`: writes in one transaction.
    `max_waiting`: writes that are queued; beyond, they are refused as UNAVAILABLE. `max_heads`,
    `max_positions`: logs and positions that the writer remembers from one transaction to the next.
    `journal_entries`, `journal_bytes`: from so many entries and positions, or bytes of them, on the
    journal is folded into the tables; a start has about as many to fold. `fold_slice`: how many at
    a time, if no more come in; twice as many rows of the journal then go. `journal_keys`: from so
    many keys of idempotence beside their table on they come into it; a start has as many to read.
    `key_filter_bytes`: memory, at most, that says which keys are new, some 4 bytes an entry.
    `fold_interval_ms`: it is also folded when nothing was written for so long. `busy_timeout_ms`:
    how long a write waits for another process's. `readers`: threads for reads; `reads_at_once`: how
    many they are given at a time. `brief_reads`: how many of those that touch a few rows the event
    loop makes itself in a turn, 0: none; after one that took `slow_read_ms` it makes none for a
    hundred times as long. `wal_pages`: after how many pages SQLite's write-ahead log is copied into
    the file: the more, the more often a page is written again before it is copied once.
    """

    gather_ms: float = 2.0
    max_batch: int = 1_000
    max_waiting: int = 100_000
    max_heads: int = 50_000
    max_positions: int = 50_000
    journal_entries: int = 5_000
    journal_bytes: int = 16 * 1024 * 1024
    journal_keys: int = 32 * 1024
    key_filter_bytes: int = 32 * 1024 * 1024
    fold_slice: int = 100
    fold_interval_ms: int = 1_000
    busy_timeout_ms: int = 5_000
    readers: int = 2
    reads_at_once: int = 8
    brief_reads: int = 4
    slow_read_ms: float = 20.0
    wal_pages: int = 16_000

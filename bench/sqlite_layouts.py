"""Which table layout makes an appended entry cheapest in SQLite? CPU per entry, by layout.

Each layout answers what the log asks for: an entry by (conversation, Seq), and by its key of
idempotence; both are looked up, as the store does, before an entry is written. The file is filled
first, since what costs is touching pages at random, and a small file has few of them.

    python bench/sqlite_layouts.py [--entries 16000] [--filled 200000] [--runs 3] [--layout NAME]
"""

from __future__ import annotations

import argparse
import random
import sqlite3
import statistics
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Final

CONVERSATIONS: Final = 1_000
FOLDED_AT: Final = 10_000
ENVELOPE: Final = b"x" * 160
COLUMNS: Final = """conv INTEGER NOT NULL, seq INTEGER NOT NULL, n INTEGER NOT NULL,
    at INTEGER NOT NULL, members INTEGER NOT NULL, kind TEXT NOT NULL, sender TEXT NOT NULL,
    msg_id TEXT NOT NULL, envelope BLOB NOT NULL"""
TEXT_KEY: Final = "SELECT seq FROM entry WHERE conv = ? AND sender = ? AND msg_id = ?"
HASH_KEY: Final = "SELECT seq, sender, msg_id FROM entry WHERE conv = ? AND key = ?"


@dataclass(frozen=True)
class Layout:
    """`hashed`: the key is kept as 64 bits of BLAKE2b in a column of its own. `folded`: keys are
    remembered, and go into their table FOLDED_AT at a time, sorted."""

    name: str
    schema: str
    find: str | None
    hashed: bool = False
    folded: bool = False


LAYOUTS: Final = (
    Layout(
        "clustered + text key",
        f"""CREATE TABLE entry ({COLUMNS}, PRIMARY KEY (conv, seq)) WITHOUT ROWID;
        CREATE UNIQUE INDEX entry_key ON entry (conv, sender, msg_id);""",
        TEXT_KEY,
    ),
    Layout(
        "rowid + text key",
        f"""CREATE TABLE entry ({COLUMNS});
        CREATE UNIQUE INDEX entry_place ON entry (conv, seq);
        CREATE UNIQUE INDEX entry_key ON entry (conv, sender, msg_id);""",
        TEXT_KEY,
    ),
    Layout(
        "rowid + hashed key",
        f"""CREATE TABLE entry ({COLUMNS}, key INTEGER NOT NULL);
        CREATE UNIQUE INDEX entry_place ON entry (conv, seq);
        CREATE INDEX entry_key ON entry (conv, key);""",
        HASH_KEY,
        hashed=True,
    ),
    Layout(
        "rowid + place, keys folded by the 10,000",
        f"""CREATE TABLE entry ({COLUMNS}, key INTEGER NOT NULL);
        CREATE UNIQUE INDEX entry_place ON entry (conv, seq);
        CREATE TABLE entry_key (conv INTEGER, key INTEGER, entry INTEGER,
            PRIMARY KEY (conv, key, entry)) WITHOUT ROWID;""",
        "SELECT entry FROM entry_key WHERE conv = ? AND key = ?",
        hashed=True,
        folded=True,
    ),
    Layout(
        "rowid + place, no key (a bound, not a choice)",
        f"CREATE TABLE entry ({COLUMNS}); CREATE UNIQUE INDEX entry_place ON entry (conv, seq);",
        None,
    ),
)

Row = tuple[object, ...]


def open_file(layout: Layout, path: Path) -> sqlite3.Connection:
    """A fresh file of that layout, with the store's own durability."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.executescript(layout.schema)
    return connection


def rows(layout: Layout, chance: random.Random, last: list[int]) -> Iterator[Row]:
    """Entries of conversations at random, for ever; `last` is the head of each."""
    while True:
        conv = chance.randrange(CONVERSATIONS)
        last[conv] += 1
        seq, sender = last[conv], f"user{conv}{'ab'[chance.randrange(2)]}"
        msg_id = str(uuid.UUID(int=chance.getrandbits(128), version=4))
        row: Row = (conv, seq, seq, 1_750_000_000_000, 0, "message", sender, msg_id, ENVELOPE)
        yield (*row, key_of(sender, msg_id)) if layout.hashed else row


def key_of(sender: str, msg_id: str) -> int:
    """64 bits that stand for (sender, msg_id)."""
    digest = blake2b(f"{sender}\0{msg_id}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


class Writer:
    """Writes batches as the store does: one transaction, each key looked up first."""

    def __init__(self, layout: Layout, connection: sqlite3.Connection) -> None:
        self.layout = layout
        self.connection = connection
        self.recent: dict[tuple[object, object], int | None] = {}

    def write(self, batch: list[Row]) -> None:
        """One transaction."""
        insert = f"INSERT INTO entry VALUES ({', '.join('?' * len(batch[0]))})"
        self.connection.execute("BEGIN IMMEDIATE")
        for row in batch:
            self.check_is_new(row)
            cursor = self.connection.execute(insert, row)
            if self.layout.folded:
                self.recent[row[0], row[-1]] = cursor.lastrowid
        if len(self.recent) >= FOLDED_AT:
            self.fold()
        self.connection.execute("COMMIT")

    def check_is_new(self, row: Row) -> None:
        """Look the key up."""
        if self.layout.find is not None:
            key = (row[0], row[-1]) if self.layout.hashed else (row[0], row[6], row[7])
            assert key not in self.recent
            assert self.connection.execute(self.layout.find, key).fetchone() is None

    def fold(self) -> None:
        """Put the remembered keys into their table."""
        rows = sorted((*key, entry) for key, entry in self.recent.items())
        self.connection.executemany("INSERT INTO entry_key VALUES (?, ?, ?)", rows)
        self.recent.clear()


def cpu_us_per_entry(layout: Layout, batch: int, entries: int, filled: int, seed: int) -> float:
    """CPU (user and system) of this process per appended entry, in µs."""
    with tempfile.TemporaryDirectory() as directory:
        connection = open_file(layout, Path(directory, "bench.db"))
        source = rows(layout, random.Random(seed), [0] * CONVERSATIONS)
        fill = sorted((next(source) for _ in range(filled)), key=lambda row: row[:2])
        writer = Writer(layout, connection)
        writer.write(fill)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        batches = [[next(source) for _ in range(batch)] for _ in range(entries // batch)]
        started = time.process_time()
        for each in batches:
            writer.write(each)
        spent = time.process_time() - started
        connection.close()
    return spent * 1e6 / (len(batches) * batch)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=16_000)
    parser.add_argument("--filled", type=int, default=200_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--layout", default="", help="only those whose name contains this")
    options = parser.parse_args()
    print(f"{'CPU in µs per entry, by entries a transaction':48}{'1':>8}{'8':>8}{'64':>8}")
    for layout in LAYOUTS:
        if options.layout not in layout.name:
            continue
        medians = [
            statistics.median(
                cpu_us_per_entry(layout, batch, options.entries * share // 64, options.filled, run)
                for run in range(options.runs)
            )
            for batch, share in ((1, 8), (8, 64), (64, 64))
        ]
        print(f"{layout.name:48}" + "".join(f"{median:8.1f}" for median in medians), flush=True)


if __name__ == "__main__":
    main()

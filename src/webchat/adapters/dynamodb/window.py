"""The keys of idempotence that a node knows of one log: all of a day, a dozen bytes each."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable
from hashlib import blake2b
from typing import Final, NamedTuple

from webchat.adapters.dynamodb.head import Record
from webchat.model import ConvID, Seq, Uid

RUN_KEYS: Final = 1_024
"""So many are folded together; a lookup costs a bisection per run."""


class Run(NamedTuple):
    """Keys of a stretch of a log, sorted by their hash; `seqs` beside them. `at`: of the newest."""

    hashes: array[int]
    seqs: array[int]
    low: Seq
    high: Seq
    at: int


class Window:
    """Keys of all entries of `conv` up to `until`, but for those dropped for their age.

    Keys are known by 64 bits of their BLAKE2: who finds one compares the entry.
    """

    def __init__(self, conv: ConvID, until: Seq) -> None:
        self.conv = conv
        self.until = until
        self._fresh: dict[int, Seq] = {}
        self._fresh_since = 0
        self._runs: list[Run] = []
        self._at = 0

    def __len__(self) -> int:
        return len(self._fresh) + sum(len(run.hashes) for run in self._runs)

    def find(self, sender: Uid, msg_id: str) -> Seq | None:
        """Where the entry with that key lies."""
        key = hashed(sender, msg_id)
        seq = self._fresh.get(key)
        if seq is not None:
            return seq
        for run in self._runs:
            place = bisect_left(run.hashes, key)
            if place < len(run.hashes) and run.hashes[place] == key:
                return run.seqs[place]
        return None

    def learn(self, seq: Seq, sender: Uid, msg_id: str, at: int) -> None:
        """The next entry has that key ("": none)."""
        self.until = seq
        if not msg_id:
            return
        if not self._fresh:
            self._fresh_since = at
        self._fresh.setdefault(hashed(sender, msg_id), seq)
        self._at = max(self._at, at)
        if len(self._fresh) >= RUN_KEYS:
            self._fold()

    def learn_from(self, entries: Iterable[tuple[Seq, Record]]) -> None:
        """The next entries are these."""
        for seq, record in entries:
            self.learn(seq, record.sender, record.msg_id, record.at)

    def adopt(self, pairs: Iterable[tuple[int, Seq]], at: int) -> None:
        """Entries before all that is known have these hashed keys; the newest is of `at` (ms)."""
        if ordered := sorted(pairs):
            self._runs.append(_run(ordered, at))

    def forget(self, before: int) -> None:
        """Drop runs all of whose entries are older than that (ms), with those that are fresh still
        once the first of them is."""
        if self._fresh and self._fresh_since < before:
            self._fold()
        self._runs = [run for run in self._runs if run.at >= before]

    def between(self, first: Seq, last: Seq) -> list[tuple[int, Seq]]:
        """(hash, `Seq`) of the known keys of a stretch, by `Seq`."""
        pairs = [*self._fresh.items()]
        for run in self._runs:
            if run.low <= last and run.high >= first:
                pairs += zip(run.hashes, run.seqs, strict=True)
        return sorted(((k, s) for k, s in pairs if first <= s <= last), key=lambda pair: pair[1])

    def _fold(self) -> None:
        self._runs.append(_run(sorted(self._fresh.items()), self._at))
        self._fresh = {}


def hashed(sender: Uid, msg_id: str) -> int:
    """64 bits of a key; the same on every node."""
    digest = blake2b(f"{sender}\0{msg_id}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big")


def _run(ordered: list[tuple[int, Seq]], at: int) -> Run:
    seqs = array("Q", [seq for _, seq in ordered])
    return Run(array("Q", [key for key, _ in ordered]), seqs, min(seqs), max(seqs), at)

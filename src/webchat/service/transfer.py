"""Export and import: all of a store as a file of lines, from any store into any empty one.

A file is a header, a record a line, and a trailer that says of each kind how many there are and
what they add up to, whatever their order. An import checks the lines against it, then reads the
target back and checks that, too.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Final

import msgspec

from webchat.errors import Code, WebchatError
from webchat.model import ConvID, Entry, Seq
from webchat.ports.store import Mode, Store, StoreRefused
from webchat.ports.transfer import EntryRecord, ReactionRecord, Record

FORMAT: Final = 1
"""The version of the file's format that this one writes, and the newest that it reads."""

PAGE_RECORDS: Final = 500
"""How many records are written to the target at once."""

_SUM_BITS: Final = 128


class Header(msgspec.Struct, frozen=True, tag="webchat"):
    """The first line. `mode`: of the store that was exported."""

    format: int
    mode: Mode


class Tally(msgspec.Struct, frozen=True):
    """How many records of a kind there are; `checksum`: of their lines in any order, hex."""

    count: int
    checksum: str


Summary = Mapping[str, Tally]
"""By kind of record (`entry`, `member`, `account` …) what was exported or imported."""


class Trailer(msgspec.Struct, frozen=True, tag="end"):
    """The last line."""

    kinds: dict[str, Tally]


class TransferRefused(StoreRefused):
    """An import cannot be done, or was not; the message says why, for a person at a terminal."""


class _Version(msgspec.Struct, frozen=True, tag="webchat"):
    """All that is known of a header of any version."""

    format: int


Said = Record | Trailer
_decode: Final[Callable[[bytes], Said]] = msgspec.json.Decoder(Said).decode
_decode_header: Final = msgspec.json.Decoder(Header).decode
_decode_version: Final = msgspec.json.Decoder(_Version).decode


async def export(store: Store, mode: Mode, write: Callable[[bytes], object]) -> Summary:
    """Give `write` all lines of `store`, which was made in `mode`, each with its end.

    What changes while it is read may be in it or not. Raises what `write` does, and
    WebchatError(UNAVAILABLE): then the file is not whole, and says so by having no trailer.
    """
    write(_line(Header(FORMAT, mode)))
    sums = _Sums()
    async for record in _records(store):
        line = _line(record)
        sums.add(record, line)
        write(line)
    summary = sums.summary()
    write(_line(Trailer(summary)))
    return summary


def read_header(line: bytes) -> Header:
    """What the first line of a file says. Raises TransferRefused: it is none, or a newer one."""
    try:
        written = _decode_version(line).format
        if written <= FORMAT:
            return _decode_header(line)
    except msgspec.DecodeError as error:
        raise TransferRefused("this is no file of webchat export") from error
    raise TransferRefused(
        f"this file was written by a newer webchat (format {written}, this one knows {FORMAT}); "
        "use that version"
    )


async def import_(
    store: Store, mode: Mode, lines: Iterable[bytes], *, page_records: int = PAGE_RECORDS
) -> Summary:
    """Fill the empty `store`, opened in `mode`, with the `lines` of an export.

    Raises TransferRefused: the store is not empty, the file is damaged, cut, newer or of the other
    mode, or the store does not give back what was written. What was written until then stays, and
    `open` refuses the store from then on; so it does if this is cut off. Raises
    WebchatError(UNAVAILABLE).
    """
    numbered = enumerate(lines, start=1)
    _, first = next(numbered, (1, b""))
    await _check_target(store, mode, read_header(first))
    file = _File(store, page_records)
    try:
        for number, line in numbered:
            await file.take(_read(line, number), line, number)
        expected = await file.finish()
        _check(expected, await _read_back(store), "the target, read back,")
    except TransferRefused as refusal:
        left = _PARTLY if file.has_begun else _UNTOUCHED
        raise TransferRefused(f"{refusal}; {left}") from refusal
    if file.has_begun:
        await store.transfer.finish()
    return expected


_PARTLY: Final = "the target holds a part of it now and is of no use"
_UNTOUCHED: Final = "nothing of it was written to the target"


class _File:
    """Writes the records of a file to `store`, a page at a time, and adds them up.

    `has_begun`: the store is marked as being filled.
    """

    def __init__(self, store: Store, page_records: int) -> None:
        self._transfer = store.transfer
        self.has_begun = False
        self._page_records = page_records
        self._page: list[Record] = []
        self._first = self._number = 0
        self._sums = _Sums()
        self._last: tuple[ConvID, Seq] = ("", 0)
        self._trailer: Trailer | None = None

    async def take(self, said: Said, line: bytes, number: int) -> None:
        """Take the line `number`. Raises TransferRefused: behind the end, out of its place, or the
        store cannot take it."""
        if self._trailer is not None:
            raise TransferRefused("the file goes on behind its end")
        if isinstance(said, Trailer):
            self._trailer = said
            return
        if isinstance(said, EntryRecord):
            self._take_place(said.entry, number)
        self._sums.add(said, line)
        self._first = self._first if self._page else number
        self._number = number
        self._page.append(said)
        if len(self._page) >= self._page_records:
            await self._flush()

    async def finish(self) -> Summary:
        """What the file says that it holds. Raises TransferRefused: it held something else."""
        if self._trailer is None:
            raise TransferRefused("the file has been cut off: it has no end")
        _check(self._trailer.kinds, self._sums.summary(), "the file")
        await self._flush()
        return self._trailer.kinds

    def _take_place(self, entry: Entry, number: int) -> None:
        conv, seq = self._last
        if entry.conv == conv and entry.seq != seq + 1:
            raise TransferRefused(
                f"line {number} is out of its place (Seq {entry.seq} of {conv} after {seq})"
            )
        self._last = entry.conv, entry.seq

    async def _flush(self) -> None:
        page, self._page = self._page, []
        if page and not self.has_begun:
            await self._transfer.begin()
            self.has_begun = True
        if page:
            await self._restore(page)

    async def _restore(self, page: Sequence[Record]) -> None:
        try:
            await self._transfer.restore(page)
        except WebchatError as error:
            if error.code is not Code.INTERNAL:
                raise
            raise TransferRefused(
                f"a record of the lines {self._first} to {self._number} does not fit what came "
                f"before ({error.__cause__ or error.message})"
            ) from error


class _Sums:
    """Counts and checksums of lines by kind."""

    def __init__(self) -> None:
        self._counts: defaultdict[str, int] = defaultdict(int)
        self._sums: defaultdict[str, int] = defaultdict(int)

    def add(self, record: Record, line: bytes) -> None:
        """Count `line`, which says `record`."""
        kind = str(record.__struct_config__.tag)
        digest = blake2b(line.rstrip(b"\r\n"), digest_size=_SUM_BITS // 8).digest()
        self._counts[kind] += 1
        # A sum, not an exclusive or: what comes twice must not cancel out.
        self._sums[kind] = (self._sums[kind] + int.from_bytes(digest)) % (1 << _SUM_BITS)

    def summary(self) -> dict[str, Tally]:
        """The tally of each kind that there was."""
        return {
            kind: Tally(count, f"{self._sums[kind]:0{_SUM_BITS // 4}x}")
            for kind, count in sorted(self._counts.items())
        }


async def _check_target(store: Store, mode: Mode, header: Header) -> None:
    if header.mode != mode:
        raise TransferRefused(f"this file is of a store in {header.mode} mode, not in {mode} mode")
    if not await store.transfer.is_empty():
        raise TransferRefused("the target is not empty; name another one")


async def _records(store: Store) -> AsyncIterator[Record]:
    """All that counts: a reaction that was taken back is none, though a store may remember it."""
    async for record in store.transfer.records():
        if not isinstance(record, ReactionRecord) or record.body:
            yield record


async def _read_back(store: Store) -> Summary:
    sums = _Sums()
    async for record in _records(store):
        sums.add(record, _line(record))
    return sums.summary()


def _read(line: bytes, number: int) -> Said:
    try:
        return _decode(line)
    except msgspec.DecodeError as error:
        raise TransferRefused(f"line {number} is damaged ({error})") from error


def _check(expected: Summary, found: Summary, where: str) -> None:
    """Refuse what does not add up to what the trailer says."""
    for kind in sorted(expected.keys() | found.keys()):
        nothing = Tally(0, "")
        should, has = expected.get(kind, nothing), found.get(kind, nothing)
        if should.count != has.count:
            raise TransferRefused(
                f"{where} has {has.count} records of the kind {kind}, but it should be "
                f"{should.count}"
            )
        if should != has:
            raise TransferRefused(f"{where} has other records of the kind {kind}")


def _line(said: Header | Record | Trailer) -> bytes:
    return msgspec.json.encode(said) + b"\n"

"""Export and import of a store as lines: checked on the way in and once more in the target."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.contract.asking import create, message, react, send, to_pair
from tests.memory import ManualClock, MemoryStore
from webchat.adapters.sqlite import SqliteSettings, SqliteStore
from webchat.model import Profile, pair_conv
from webchat.ports.log import Append
from webchat.ports.store import Mode
from webchat.ports.transfer import ReactionRecord, Record
from webchat.service.transfer import FORMAT, TransferRefused, export, import_, read_header


async def empty(mode: Mode = "secured") -> MemoryStore:
    store = MemoryStore(ManualClock())
    await store.open(mode)
    return store


@pytest.fixture
async def store() -> MemoryStore:
    """A store with a group, a pair and an account."""
    made = await empty()
    await send(made, create("group_x", "ann", "bob"))
    for number in range(9):
        await send(made, Append("group_x", (message("bob", str(number)),)))
    await send(made, react("group_x", "ann", 2, "👍"))
    await send(made, to_pair("ann", "bob", "1"))
    await made.accounts.create(Profile("ann", "Ann", "", True, "shared", False), "hash", 1)
    return made


@pytest.fixture
async def lines(store: MemoryStore) -> list[bytes]:
    written: list[bytes] = []
    await export(store, "secured", written.append)
    return written


async def refused(lines: Sequence[bytes], mode: Mode = "secured") -> str:
    """Why the lines cannot be imported into an empty store."""
    with pytest.raises(TransferRefused) as refusal:
        await import_(await empty(mode), mode, lines, page_records=4)
    return str(refusal.value)


async def test_what_was_exported_is_imported_whole(store: MemoryStore) -> None:
    written: list[bytes] = []
    exported = await export(store, "secured", written.append)
    target = await empty()
    assert await import_(target, "secured", written, page_records=4) == exported
    assert {kind: tally.count for kind, tally in exported.items()} == {
        "account": 1, "entry": 16, "member": 4, "position": 4, "reaction": 1
    }  # fmt: skip
    conv = pair_conv("ann", "bob")
    assert await target.log.read(conv, 0, 9) == await store.log.read(conv, 0, 9)
    assert await target.accounts.password_hash("ann") == "hash"


async def test_every_line_is_an_object_and_ends(lines: list[bytes]) -> None:
    assert all(line.endswith(b"\n") and line.count(b"\n") == 1 for line in lines)
    kinds = [json.loads(line)["type"] for line in lines]
    assert (kinds[0], kinds[-1]) == ("webchat", "end")


async def test_the_header_says_format_and_mode(lines: list[bytes]) -> None:
    header = read_header(lines[0])
    assert (header.format, header.mode) == (FORMAT, "secured")


async def test_an_empty_store_is_exported_and_imported() -> None:
    written: list[bytes] = []
    await export(await empty("open"), "open", written.append)
    assert await import_(await empty("open"), "open", written) == {}


async def test_the_order_of_kinds_does_not_matter(lines: list[bytes]) -> None:
    account = next(line for line in lines if b'"account"' in line)
    rest = [line for line in lines[1:] if line != account]
    assert (await import_(await empty(), "secured", [lines[0], account, *rest]))["account"]


async def test_a_file_that_was_cut_is_refused(lines: list[bytes]) -> None:
    assert "cut off" in await refused(lines[:-1])
    assert "damaged" in await refused([*lines[:-1], lines[-1][:-9]])
    assert "no file of webchat export" in await refused([])


async def test_of_a_file_that_is_refused_it_is_said_whether_a_part_was_written(
    lines: list[bytes],
) -> None:
    assert (await refused(lines[:-1])).endswith(
        "; the target holds a part of it now and is of no use"
    )
    assert (await refused(lines[:3])).endswith("; nothing of it was written to the target")


class _Marked(MemoryStore):
    """A store that tells whether it is marked as being filled."""

    is_marked = False

    async def open(self, mode: Mode) -> None:
        await super().open(mode)

        async def mark(*, to: bool) -> None:
            assert await self.transfer.is_empty() is to
            self.is_marked = to

        self.transfer.begin = partial(mark, to=True)  # type: ignore[method-assign]
        self.transfer.finish = partial(mark, to=False)  # type: ignore[method-assign]


@pytest.mark.parametrize("is_cut", [True, False])
async def test_a_store_is_marked_from_before_its_first_record_until_all_was_read_back(
    lines: list[bytes], is_cut: bool
) -> None:
    target = _Marked(ManualClock())
    await target.open("secured")
    with pytest.raises(TransferRefused) if is_cut else nullcontext():
        await import_(target, "secured", lines[:-1] if is_cut else lines, page_records=4)
    assert target.is_marked is is_cut
    assert not await target.transfer.is_empty()


async def test_a_line_that_is_missing_or_comes_twice_is_noticed(lines: list[bytes]) -> None:
    position = next(line for line in lines if b'"position"' in line)
    at = lines.index(position)
    told = await refused([*lines[:at], *lines[at + 1 :]])
    assert "the file has 3 records of the kind position, but it should be 4" in told
    assert "has 5 records" in await refused([*lines[:at], position, *lines[at:]])


async def test_an_entry_out_of_its_place_is_refused_with_its_line(lines: list[bytes]) -> None:
    at = next(i for i, line in enumerate(lines) if b'"entry"' in line and b'"seq":3' in line)
    swapped = [*lines[:at], lines[at + 1], lines[at], *lines[at + 2 :]]
    assert f"line {at + 1} is out of its place (Seq 4 of group_x after 2)" in await refused(swapped)
    twice = [*lines[:at], lines[at], *lines[at:]]
    assert f"line {at + 2} is out of its place (Seq 3 of group_x after 3)" in await refused(twice)


async def test_what_a_store_cannot_take_is_refused_with_its_lines(
    lines: list[bytes], tmp_path: Path
) -> None:
    entries = {
        (each["entry"]["conv"], each["entry"]["seq"]): line for each, line in _entries(lines)
    }
    twice = [entries["group_x", 1], entries["user:ann", 1], entries["group_x", 1]]
    store = SqliteStore(tmp_path / "webchat.db", SqliteSettings(), ManualClock())
    await store.open("secured")
    with pytest.raises(TransferRefused) as refusal:
        await import_(store, "secured", [lines[0], *twice, *lines[1:]], page_records=3)
    await store.close()
    assert str(refusal.value) == (
        "a record of the lines 2 to 4 does not fit what came before (UNIQUE constraint failed: "
        "entry.log, entry.seq); the target holds a part of it now and is of no use"
    )


def _entries(lines: Sequence[bytes]) -> Iterator[tuple[Any, bytes]]:
    """Lines that are entries, decoded and as they are."""
    said = [(json.loads(line), line) for line in lines]
    return ((each, line) for each, line in said if each["type"] == "entry")


async def test_a_changed_line_is_noticed(lines: list[bytes]) -> None:
    changed = [line.replace(b'"hash"', b'"hush"') for line in lines]
    assert "other records of the kind account" in await refused(changed)


@pytest.mark.parametrize("broken", [b"\n", b"{}\n", b'{"type":"entry"}\n', b'{"type":"later"}\n'])
async def test_a_line_that_is_no_record_is_refused_with_its_number(
    lines: list[bytes], broken: bytes
) -> None:
    assert "line 3 is damaged" in await refused([*lines[:2], broken, *lines[2:]])


async def test_what_comes_behind_the_end_is_refused(lines: list[bytes]) -> None:
    assert "goes on behind its end" in await refused([*lines, lines[1]])


@pytest.mark.parametrize("first", [b"", b"hello\n", b"[1]\n", b'{"type":"entry"}\n', b"\xff\n"])
async def test_what_is_no_export_is_refused(lines: list[bytes], first: bytes) -> None:
    assert "no file of webchat export" in await refused([first, *lines[1:]])


async def test_a_newer_format_is_refused(lines: list[bytes]) -> None:
    header = b'{"type":"webchat","format":2,"mode":"later","more":1}\n'
    assert "newer webchat (format 2" in await refused([header, *lines[1:]])


async def test_a_file_of_the_other_mode_is_refused(lines: list[bytes]) -> None:
    assert "in secured mode, not in open mode" in await refused(lines, "open")


async def test_a_target_that_is_not_empty_is_refused_and_left_alone(lines: list[bytes]) -> None:
    target = await empty()
    await target.accounts.create(Profile("zoe", "Zoe", "", True, "shared", False), "", 1)
    with pytest.raises(TransferRefused, match="not empty"):
        await import_(target, "secured", lines)
    assert await target.accounts.profile("ann") is None


class _Forgetful(MemoryStore):
    """A store that loses the reactions that it is given."""

    async def open(self, mode: Mode) -> None:
        await super().open(mode)
        restore = self.transfer.restore

        async def restore_some(records: Sequence[Record]) -> None:
            await restore([each for each in records if not isinstance(each, ReactionRecord)])

        self.transfer.restore = restore_some  # type: ignore[method-assign]


async def test_a_target_that_does_not_give_back_what_it_was_given_is_noticed(
    lines: list[bytes],
) -> None:
    target = _Forgetful(ManualClock())
    await target.open("secured")
    with pytest.raises(TransferRefused, match="the target, read back, has 0 records of the kind"):
        await import_(target, "secured", lines)

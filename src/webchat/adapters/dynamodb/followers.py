"""What follows from an entry: rows of members, groups and reactions, changed entries, user logs.

All of it can come twice and out of order: rows carry the `Seq` they come from and only a higher one
overwrites; entries of user logs have keys.
"""

from __future__ import annotations

import asyncio
import secrets
import zlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Sequence

import msgspec

from webchat.adapters.dynamodb import keys
from webchat.adapters.dynamodb.directory import PublicGroups
from webchat.adapters.dynamodb.head import (
    Batch,
    Follows,
    LogHead,
    Mark,
    as_bytes,
    decode_follows,
)  # fmt: skip
from webchat.adapters.dynamodb.invitations import put_invitation
from webchat.adapters.dynamodb.reader import LogReader
from webchat.adapters.dynamodb.rows import MemberRow, read_row, turned
from webchat.adapters.dynamodb.steady import SteadyTable
from webchat.adapters.dynamodb.table import ABSENT, Item, Key, older, version
from webchat.model import ConvID, Draft, Entry, Seq, Uid, user_log
from webchat.ports.log import (
    Append,
    Appended,
    Change,
    changed,
    conversation_entry,
    invitation_entry,
    last_change,
)  # fmt: skip

Inner = Callable[[Append], Awaitable[Appended]]
Spans = list[tuple[Seq, Seq, str]]
_REMEMBERED = 1_000
"""Entries whose rows this node knows to be written, until their marks go with another write."""


class Followers:
    """Does what follows. Every method may raise WebchatError(UNAVAILABLE); then do it again."""

    def __init__(
        self,
        table: SteadyTable,
        reader: LogReader,
        groups: PublicGroups,
        append: Inner,
        batch_bytes: int,
    ) -> None:
        """`batch_bytes`: an edit does not make a batch longer than that."""
        self._table = table
        self._reader = reader
        self._groups = groups
        self._append = append
        self._batch_bytes = batch_bytes
        self._writing: dict[tuple[ConvID, Seq], asyncio.Task[None]] = {}
        self._written: OrderedDict[tuple[ConvID, Seq], None] = OrderedDict()

    async def close(self) -> None:
        """Finish what was begun for somebody who waits for it no more."""
        while self._writing:
            await asyncio.wait(self._writing.values())

    async def finish(self, conv: ConvID, mark: Mark) -> None:
        """All that a mark stands for; nothing if somebody finished it meanwhile."""
        follows = await self._read(conv, mark)
        if follows is not None:
            await self.follow(conv, follows)

    async def finish_rows(self, conv: ConvID, marks: Sequence[Mark]) -> None:
        """What members, groups and entries read like after these marks; no user logs."""
        for mark in marks:
            follows = await self._read(conv, mark)
            if follows is not None:
                await self._rows(conv, follows)

    async def amended(self, head: LogHead, seqs: Collection[Seq]) -> dict[Seq, Seq]:
        """When these entries, which are in batches, were last edited or deleted, as of `head`.

        What is still to follow is in the marks of the head; what followed before it was written is
        in the batches, since they are read after it.
        """
        last = {
            entry.seq: last_change(entry.envelope)
            for entry in await self._reader.at(head, list(seqs))
        }
        for mark in head.marks:
            follows = await self._read(head.conv, mark)
            for change in follows.changes if follows is not None else ():
                if change.kind != "react" and change.refers in last:
                    last[change.refers] = max(last[change.refers], mark.seq)
        return last

    async def follow(self, conv: ConvID, follows: Follows) -> list[Entry]:
        """All of it; the entries of other logs that came by it, in the order they were named."""
        await self._rows(conv, follows)
        drafts = [draft for draft in said_to_users(conv, follows) if user_log(draft.sender) != conv]
        told = await self._table.each(self._tell, drafts)
        return list({(entry.conv, entry.seq): entry for entry in told}.values())

    async def _read(self, conv: ConvID, mark: Mark) -> Follows | None:
        if not mark.ref:
            return decode_follows(mark.follows)
        item = await self._table.get(spilled_key(conv, mark.ref))
        return _read_spilled(item) if item else None

    async def _tell(self, draft: Draft) -> Entry:
        return (await self._append(Append(user_log(draft.sender), (draft,)))).entries[0]

    async def _rows(self, conv: ConvID, follows: Follows) -> None:
        """Have the rows of an entry written, once for all who read them meanwhile: a long list is
        thousands of requests."""
        place = conv, follows.seq
        if place in self._written:
            return
        task = self._writing.get(place)
        if task is None:
            work = self._write_rows(conv, follows)
            task = self._writing[place] = asyncio.get_running_loop().create_task(work)
            task.add_done_callback(lambda _: self._writing.pop(place))
        await asyncio.shield(task)

    async def _write_rows(self, conv: ConvID, follows: Follows) -> None:
        spans: dict[Uid, Spans] = {}
        for uid, since, until, role in follows.spans:
            spans.setdefault(uid, []).append((since, until, role))

        async def turn(uid: Uid) -> None:
            await self._turn(conv, uid, spans[uid], follows)

        async def change(one: Change) -> None:
            await self._change(conv, one, follows.seq)

        await self._table.each(turn, spans)
        await self._table.each(change, follows.changes)
        if follows.group is not None:
            await self._groups.save(follows.group, follows.seq)
        for invitation in follows.invitations:
            await put_invitation(self._table, invitation, follows.seq)
        self._written[conv, follows.seq] = None
        if len(self._written) > _REMEMBERED:
            self._written.popitem(last=False)

    async def _turn(self, conv: ConvID, uid: Uid, spans: Spans, follows: Follows) -> None:
        """Write a member's row, and its newest span on the user's side."""
        row = await self._turn_row(conv, uid, spans, follows)
        item = keys.conversation_item(uid, conv, row.seq, row.spans[-1])
        await self._table.put_if(item, older(row.seq))

    async def _turn_row(self, conv: ConvID, uid: Uid, spans: Spans, follows: Follows) -> MemberRow:
        key = keys.member(conv, uid)
        if follows.seq == 1:
            # A new log has no rows yet, but for those that an earlier try left.
            fresh = turned(MemberRow(), spans, 1, 0) or MemberRow()
            if await self._table.put_if({**fresh.item(), **key._asdict(), "ver": 1}, ABSENT):
                return fresh
        latest = MemberRow()

        def turn(item: Item | None) -> Item | None:
            nonlocal latest
            before = read_row(item)
            after = turned(before, spans, follows.seq, follows.n_before)
            latest = after or before
            return after.item() if after else None

        await self._table.change(key, turn)
        return latest

    async def _change(self, conv: ConvID, change: Change, by: Seq) -> None:
        if change.kind == "react":
            key = keys.reaction(conv, change.refers, change.sender)
            item: Item = {**key._asdict(), "ver": by, "body": change.body}
            await self._table.put_if(item, older(by))
            return
        while (batch := await self._reader.batch_with(conv, change.refers)) is not None:
            before = batch.records[change.refers - batch.first].envelope
            envelope = changed(before, change, by)
            if envelope == before or await self._rewrite(batch, change.refers, envelope):
                return

    async def _rewrite(self, batch: Batch, seq: Seq, envelope: bytes) -> bool:
        """Give an entry of a batch another envelope, which lies apart from it where it is too much
        for one item; False: the batch is another by now."""
        apart = {other: ref for other, ref in batch.apart.items() if other != seq}
        after = msgspec.structs.replace(
            batch.saying({seq: envelope}), ver=batch.ver + 1, apart=apart
        )
        item = after.item()
        if len(as_bytes(item["entries"])) > self._batch_bytes:
            ref = secrets.token_hex(8)
            key = keys.apart(batch.conv, seq, ref)
            await self._table.put({**key._asdict(), "envelope": envelope})
            item = msgspec.structs.replace(after, apart={**apart, seq: ref}).item()
        has_won = await self._table.put_if(item, version(batch.ver))
        if has_won and seq in batch.apart:
            await self._table.delete(keys.apart(batch.conv, seq, batch.apart[seq]))
        return has_won


def said_to_users(conv: ConvID, follows: Follows) -> list[Draft]:
    """What is appended to the log of each draft's sender."""
    seq, at = follows.seq, follows.at
    return [
        *(conversation_entry(uid, conv, state, seq, at) for uid, state in follows.announce),
        *(invitation_entry(invitation, at) for invitation in follows.invitations),
    ]


def spilled_key(conv: ConvID, ref: str) -> Key:
    """Where what follows lies if it is too much for the head."""
    return Key(keys.log(conv), f"{keys.FOLLOW}{ref}")


def spilled_item(conv: ConvID, ref: str, follows: bytes, most: int) -> Item:
    """What lies there; deflated where it is more than `most` bytes: a deletion takes all edits of
    its message with it, of which an item holds some 3,500 as they are and 90,000 deflated."""
    key = spilled_key(conv, ref)._asdict()
    if len(follows) <= most:
        return {**key, "follows": follows}
    return {**key, "deflated": zlib.compress(follows)}


def _read_spilled(item: Item) -> Follows:
    if "deflated" in item:
        return decode_follows(zlib.decompress(as_bytes(item["deflated"])))
    return decode_follows(as_bytes(item["follows"]))

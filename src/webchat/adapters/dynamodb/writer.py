"""Appending to logs: one write in flight per log, which takes all that has come meanwhile.

Every write of a head is on the condition of the `ver` that it raises, so of two nodes one wins; the
other reads the head again and plans anew. What bears a write's token is its own, whatever the
answer to the write was.
"""

from __future__ import annotations

import asyncio
import math
import secrets
from collections.abc import Coroutine, Mapping, Sequence

from webchat.adapters.dynamodb.answering import Answering
from webchat.adapters.dynamodb.followers import spilled_item, spilled_key
from webchat.adapters.dynamodb.head import LogHead, head_size, item_size
from webchat.adapters.dynamodb.logs import Answers, KnownLog, KnownLogs, Pending
from webchat.adapters.dynamodb.pages import KeyPages
from webchat.adapters.dynamodb.plan import Plan, Planner, Settled
from webchat.adapters.dynamodb.reader import LogReader
from webchat.adapters.dynamodb.rolling import Rolling
from webchat.adapters.dynamodb.rows import RowCache
from webchat.adapters.dynamodb.settings import DynamoSettings
from webchat.adapters.dynamodb.steady import SteadyTable, as_refusal
from webchat.adapters.dynamodb.table import version
from webchat.errors import Code, WebchatError
from webchat.model import ConvID, Entry, Seq, Uid
from webchat.ports.clock import Clock
from webchat.ports.log import Append, AppendDone, Appended, check_append

_LONG_AGES = 5
"""A mark that is too long for a head counts as left behind at so many times the age of others: what
follows from a list of 1,000 people takes seconds."""


class LogWriter:
    """Appends. All methods on the loop's thread."""

    def __init__(
        self,
        table: SteadyTable,
        reader: LogReader,
        rows: RowCache,
        settings: DynamoSettings,
        clock: Clock,
    ) -> None:
        self._table = table
        self._reader = reader
        self._settings = settings
        self._clock = clock
        self._logs = KnownLogs(settings.max_logs)
        self._pages = KeyPages(table, reader, settings, clock)
        self._rolling = Rolling(table, reader, self._pages, rows, settings)
        self._answering: Answering
        self._tasks: set[asyncio.Task[None]] = set()
        self.is_failing = False
        """An append could not be written, and none has been since."""

    def answer_by(self, answering: Answering) -> None:
        """Set who answers; once, before anything else."""
        self._answering = answering

    def append(self, request: Append, done: AppendDone) -> None:
        """Queue a request; see `ports/log.py`."""
        check_append(request)
        self._queue(Pending(request, done, inner=False))

    async def append_inner(self, request: Append) -> Appended:
        """Append what follows from another entry. Raises WebchatError(UNAVAILABLE)."""
        outcome: asyncio.Future[Appended | Exception]
        outcome = asyncio.get_running_loop().create_future()
        self._queue(Pending(request, outcome.set_result, inner=True))
        told = await outcome
        if isinstance(told, Exception):
            raise told
        return told

    async def head_behind(self, conv: ConvID, seq: Seq) -> LogHead:
        """A head that reaches `seq`, or else the log's head once what is queued is written."""
        known = self._logs.peek(conv)
        if known is not None:
            if known.head is not None and known.head.last >= seq:
                return known.head
            await known.written()
        return await self._reader.head(conv)

    async def find(self, conv: ConvID, wanted: Sequence[tuple[Uid, str]]) -> list[Entry]:
        """The entries with these (sender, MsgID), as they are now."""
        return await self._find(await self._reader.head(conv), wanted)

    async def find_done(self, conv: ConvID, sender: Uid, msg_id: str) -> Entry | None:
        """The entry with that key; what follows from it, which may have been left undone, is done
        by then."""
        head = await self._reader.head(conv)
        found = await self._find(head, [(sender, msg_id)])
        if not found:
            return None
        marks = [mark for mark in head.marks if mark.seq == found[0].seq]
        if marks:
            known = self._logs.get(conv)
            await self._answering.finish(known, marks)
            self.wake(known)
        return found[0]

    async def _find(self, head: LogHead, wanted: Sequence[tuple[Uid, str]]) -> list[Entry]:
        if not head.ver:
            return []
        known = self._logs.get(head.conv)
        async with known.reading:
            window = known.window = await self._pages.catch_up(known.window, head)
        seqs = [window.find(sender, msg_id) for sender, msg_id in wanted if msg_id]
        entries = await self._reader.at(head, [seq for seq in seqs if seq is not None])
        return [entry for entry in entries if (entry.sender, entry.msg_id) in wanted]

    async def finish_marks(self, conv: ConvID, age_s: float = math.inf) -> None:
        """Do what the marks of a log stand for, and take them away, whoever made them. `age_s`: how
        old they are at least; if that is not much, long ones are left to whoever is at them."""
        known = self._logs.get(conv)
        head = await self._reader.head(conv)
        is_late = age_s >= _LONG_AGES * self._settings.mark_age_ms / 1000
        marks = [mark for mark in head.marks if is_late or not mark.ref]
        await self._answering.finish(known, marks)
        if known.head is not None and known.head.ver < head.ver:
            known.head = None
        self.wake(known)

    def wake(self, known: KnownLog) -> None:
        """Write what waits, and take out of the head what is settled."""
        if known.task is None and (known.waiting or known.followed):
            known.task = asyncio.get_running_loop().create_task(self._run(known))
            self._tasks.add(known.task)
            known.task.add_done_callback(self._tasks.discard)

    def start(self, work: Coroutine[None, None, None]) -> None:
        """Run `work`; `close` waits for it."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Finish all that is queued."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    def _queue(self, pending: Pending) -> None:
        known = self._logs.get(pending.request.conv)
        known.queue(pending)
        self.wake(known)

    async def _run(self, known: KnownLog) -> None:
        try:
            while known.waiting or known.followed:
                batch = self._take(known)
                try:
                    await self._cycle(known, batch)
                finally:
                    known.finish(len(batch))
        finally:
            known.task = None

    async def _cycle(self, known: KnownLog, batch: Sequence[Pending]) -> None:
        """One write, and what makes room for the next."""
        answers = Answers()
        known.answers.append(answers)
        try:
            base, plan = await self._write(known, batch)
        except Exception as error:
            self.is_failing = True
            known.head = None
            known.followed.clear()
            self._answering.refuse(known, batch, as_refusal(error), answers)
            return
        self._answering.conclude(known, batch, base, plan, answers)
        try:
            await self._rolling.tidy(known)
        except WebchatError:
            # It is tried again after the next write, which can do without.
            known.rolled = ()

    def _take(self, known: KnownLog) -> list[Pending]:
        batch: list[Pending] = []
        size = 0
        while known.waiting:
            size += known.waiting[0].size
            if batch and size > self._settings.batch_bytes:
                break
            batch.append(known.waiting.popleft())
        return batch

    async def _write(self, known: KnownLog, batch: Sequence[Pending]) -> tuple[LogHead, Plan]:
        """Write the head with all of `batch` in it; the head it was planned on, and the plan."""
        requests = [pending.request for pending in batch]
        token = secrets.token_bytes(8)
        while True:
            head = await self._current(known)
            amended = await self._answering.amended(head, requests)
            plan, settled = self._plan(known, head, requests, token, amended)
            if plan.head is not None and not self._fits(head, plan.head):
                await self._make_room(known, head)
                continue
            await self._spill(known.conv, plan)
            if plan.head is None or await self._put(known, head, plan.head):
                known.forget(settled)
                return head, plan
            if await self._has_won(known, head, token):
                known.forget(settled)
                return head, plan
            for ref in plan.spilled:
                await self._table.delete(spilled_key(known.conv, ref))

    def _fits(self, before: LogHead, head: LogHead) -> bool:
        """Whether `head` is not too long for an item: judged by what is in it, which is quick, or
        else, where nothing of `before` could make room for it, by the item."""
        most = self._settings.head_bytes
        return head_size(head) <= most or (not before.tail and item_size(head.item()) <= most)

    async def _put(self, known: KnownLog, before: LogHead, head: LogHead) -> bool:
        is_written = await self._table.put_if(head.item(), version(before.ver))
        self.is_failing = False
        if not is_written:
            return False
        known.head = head
        if known.window is not None:
            known.window.learn_from(head.inline(known.window.until))
        left = {mark.seq for mark in head.marks}
        for mark in before.marks:
            if mark.ref and mark.seq not in left:
                await self._table.delete(spilled_key(known.conv, mark.ref))
        return True

    def _plan(
        self,
        known: KnownLog,
        head: LogHead,
        requests: Sequence[Append],
        token: bytes,
        amended: Mapping[Seq, Seq],
    ) -> tuple[Plan, Settled]:
        if known.window is None:
            raise RuntimeError("an append to a log whose keys were not read")
        inline = self._settings.follow_inline_bytes
        planner = Planner(head, known.window, self._clock.now_ms(), token, inline, amended)
        settled = known.settled
        return planner.plan(requests, settled), settled

    async def _current(self, known: KnownLog) -> LogHead:
        """The head as it was last seen, and the keys up to its end."""
        if known.head is None or known.window is None:
            async with known.reading:
                head = await self._reader.head(known.conv)
                known.window = await self._pages.catch_up(known.window, head)
                known.head = head
        return known.head

    async def _make_room(self, known: KnownLog, head: LogHead) -> None:
        """Roll all entries out of a head that would grow beyond its bound."""
        if not head.tail:
            raise WebchatError(Code.TOO_LARGE, "this is too much at once")
        await self._rolling.roll_out(known, 0)
        if known.head is not None:
            plan, settled = self._plan(known, head, [], b"", {})
            if plan.head is not None and await self._put(known, head, plan.head):
                known.forget(settled)
            else:
                known.head = None

    async def _spill(self, conv: ConvID, plan: Plan) -> None:
        """Leave what is too much for the head beside it. It does not expire: nothing else says what
        is still to follow, however late somebody comes to it."""
        for ref, follows in plan.spilled.items():
            item = spilled_item(conv, ref, follows, self._settings.head_bytes)
            await self._table.put(item)

    async def _has_won(self, known: KnownLog, before: LogHead, token: bytes) -> bool:
        """Whether the write that was refused had been done; the log is read on in any case."""
        known.head = None
        head = await self._current(known)
        records = [record for _, record in head.inline(before.last)]
        if before.last + 1 < head.first:
            batch = await self._reader.batch_with(known.conv, before.last + 1)
            records += batch.records if batch else ()
        return any(record.token == token for record in records)

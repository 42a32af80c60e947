"""From a write to its answers: what follows is done, and `done` is called in the order of `Seq`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from typing import Protocol

from webchat.adapters.dynamodb.followers import Followers, said_to_users
from webchat.adapters.dynamodb.head import LogHead, Mark, further
from webchat.adapters.dynamodb.logs import Answers, KnownLog, Pending
from webchat.adapters.dynamodb.plan import Outcome, Plan, Repeated, Written, gather
from webchat.adapters.dynamodb.reader import LogReader
from webchat.adapters.dynamodb.steady import as_refusal
from webchat.errors import Code, WebchatError
from webchat.model import ConvID, Entry, Position, Seq, Uid, user_log
from webchat.ports.log import Append, Appended
from webchat.ports.positions import Moved


class Writer(Protocol):
    """What answering needs of whoever writes."""

    def start(self, work: Coroutine[None, None, None]) -> None:
        """Run `work`."""

    def wake(self, known: KnownLog) -> None:
        """Something is settled."""

    async def find(self, conv: ConvID, wanted: Sequence[tuple[Uid, str]]) -> list[Entry]:
        """Entries by their keys."""


class Senders(Protocol):
    """Who knows where a sender was."""

    async def before_sending(self, conv: ConvID, uid: Uid) -> Position:
        """Its own row's position."""


class Answering:
    """Answers the requests of each write, in the order of the writes."""

    def __init__(
        self, writer: Writer, followers: Followers, reader: LogReader, senders: Senders
    ) -> None:
        self._writer = writer
        self._followers = followers
        self._reader = reader
        self._senders = senders

    def refuse(
        self, known: KnownLog, batch: Sequence[Pending], error: WebchatError, answers: Answers
    ) -> None:
        """Nothing of a batch is known to be stored."""
        for pending in batch:
            if pending.inner:
                pending.done(error)
        outer = [pending for pending in batch if not pending.inner]
        self._settle(known, answers, [_telling(pending, error) for pending in outer])

    def conclude(
        self,
        known: KnownLog,
        batch: Sequence[Pending],
        base: LogHead,
        plan: Plan,
        answers: Answers,
    ) -> None:
        """`plan` has been written over `base`."""
        answers.after = base.last
        outer: list[tuple[Pending, Outcome]] = []
        for pending, outcome in zip(batch, plan.outcomes, strict=True):
            if not pending.inner:
                outer.append((pending, outcome))
            elif isinstance(outcome, Repeated):
                self._writer.start(self._tell_repeated(known, pending, outcome))
            else:
                pending.done(_plainly(known.conv, outcome))
        if all(_is_plain(pending, outcome) for pending, outcome in outer):
            calls = [_telling(pending, _plainly(known.conv, what)) for pending, what in outer]
            self._settle(known, answers, calls)
        else:
            self._writer.start(self._conclude(known, outer, base, answers))

    async def finish(self, known: KnownLog, marks: Sequence[Mark]) -> None:
        """Do what marks stand for. Raises WebchatError(UNAVAILABLE)."""
        async with known.following:
            for mark in marks:
                if mark.seq not in known.followed:
                    await self._followers.finish(known.conv, mark)
                    known.followed.add(mark.seq)

    async def amended(self, head: LogHead, requests: Iterable[Append]) -> Mapping[Seq, Seq]:
        """When entries on whose state `requests` are conditional, and that batches hold, were last
        edited or deleted, as of `head`. Raises WebchatError(UNAVAILABLE)."""
        seqs = {
            change.refers
            for request in requests
            if request.follow is not None
            for change in request.follow.conditions
            if 0 < change.refers < head.first
        }
        return await self._followers.amended(head, seqs) if seqs else {}

    async def _conclude(
        self,
        known: KnownLog,
        outer: Sequence[tuple[Pending, Outcome]],
        base: LogHead,
        answers: Answers,
    ) -> None:
        calls = []
        moved = dict(base.moved)
        async with known.following:
            for pending, outcome in outer:
                try:
                    told = await self._tell(known, pending, outcome, base, moved)
                except Exception as error:
                    told = as_refusal(error)
                calls.append(_telling(pending, told))
        self._settle(known, answers, calls)
        self._writer.wake(known)

    async def _tell(
        self,
        known: KnownLog,
        pending: Pending,
        outcome: Outcome,
        base: LogHead,
        moved: dict[Uid, tuple[Seq, int]],
    ) -> Appended | Exception:
        if isinstance(outcome, Repeated):
            return await self._repeated(known, pending, outcome)
        if not isinstance(outcome, Written):
            return outcome
        followed: list[Entry] = []
        if outcome.follows is not None:
            others = [mark for mark in base.marks if mark.seq not in known.followed]
            await self._followers.finish_rows(known.conv, others)
            followed = await self._followers.follow(known.conv, outcome.follows)
            known.followed.add(outcome.first)
        appended = _plainly(known.conv, outcome)
        if isinstance(appended, Appended):
            how = await self._moved(known.conv, pending, outcome, moved)
            return Appended(appended.entries, tuple(followed), fresh=True, moved=how)
        return appended

    async def _moved(
        self,
        conv: ConvID,
        pending: Pending,
        outcome: Written,
        moved: dict[Uid, tuple[Seq, int]],
    ) -> Moved | None:
        """How its message moved its sender."""
        if not pending.request.moves_sender:
            return None
        last, seq = outcome.records[-1], outcome.first + len(outcome.records) - 1
        row = await self._senders.before_sending(conv, last.sender)
        before = further(row, moved.get(last.sender)) or row
        moved[last.sender] = (seq, last.n)
        return Moved(conv, last.sender, before, Position(seq, seq, last.n))

    async def _repeated(
        self, known: KnownLog, pending: Pending, outcome: Repeated
    ) -> Appended | Exception:
        """What a request did the first time, all of it done by now."""
        conv, request = known.conv, pending.request
        head = await self._reader.head(conv)
        for mark in head.marks:
            if mark.seq in outcome.seqs and mark.seq not in known.followed:
                await self._followers.finish(conv, mark)
                known.followed.add(mark.seq)
        asked = {(draft.sender, draft.msg_id) for draft in request.drafts}
        entries = await self._reader.at(head, outcome.seqs)
        entries = [entry for entry in entries if (entry.sender, entry.msg_id) in asked]
        if not entries:
            # Two keys of the same 64 bits, once in many ages: nothing was stored.
            return WebchatError(Code.UNAVAILABLE, "the store is not answering")
        seq = entries[0].seq
        follows = gather(request.follows(seq), seq, 0, 0)
        followed: list[Entry] = []
        for draft in said_to_users(conv, follows):
            if user_log(draft.sender) != conv:
                key = (draft.sender, draft.msg_id)
                followed += await self._writer.find(user_log(draft.sender), [key])
        return Appended(tuple(entries), tuple(followed), fresh=False)

    async def _tell_repeated(self, known: KnownLog, pending: Pending, outcome: Repeated) -> None:
        try:
            told = await self._repeated(known, pending, outcome)
        except Exception as error:
            told = as_refusal(error)
        pending.done(told)

    def _settle(self, known: KnownLog, answers: Answers, calls: list[Callable[[], None]]) -> None:
        """The answers of one write are known: tell those whose turn it is."""
        answers.calls = calls
        while known.answers and known.answers[0].calls is not None:
            for call in known.answers.popleft().calls or ():
                _run(call)


def _is_plain(pending: Pending, outcome: Outcome) -> bool:
    """Whether it can be told without looking anything up."""
    if isinstance(outcome, Written):
        return outcome.follows is None and not pending.request.moves_sender
    return not isinstance(outcome, Repeated)


def _plainly(conv: ConvID, outcome: Outcome) -> Appended | Exception:
    """What was written, without what follows; or the refusal."""
    if isinstance(outcome, Written):
        entries = enumerate(outcome.records, outcome.first)
        return Appended(tuple(record.entry(conv, seq) for seq, record in entries), (), fresh=True)
    if isinstance(outcome, Repeated):
        raise TypeError("a repeated request has to be looked up")
    return outcome


def _telling(pending: Pending, told: Appended | Exception) -> Callable[[], None]:
    return lambda: pending.done(told)


def _run(call: Callable[[], None]) -> None:
    try:
        call()
    except Exception as error:
        context = {"message": "a `done` call failed", "exception": error}
        asyncio.get_running_loop().call_exception_handler(context)

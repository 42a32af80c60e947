"""What this node remembers of each log: its end, its keys of idempotence, and what waits for it."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable

from webchat.adapters.dynamodb.head import LogHead, Record
from webchat.adapters.dynamodb.plan import Settled
from webchat.adapters.dynamodb.window import Window
from webchat.model import ConvID, Seq, Uid
from webchat.ports.log import Append, AppendDone


class Pending:
    """A request that waits for its write. `inner`: asked by the store itself, for what follows;
    it is answered at once, not after those before it."""

    __slots__ = ("done", "inner", "request", "size")

    def __init__(self, request: Append, done: AppendDone, *, inner: bool) -> None:
        self.request = request
        self.done = done
        self.inner = inner
        self.size = sum(len(draft.envelope) + 200 for draft in request.drafts)


class KnownLog:
    """One log as this node last saw it.

    `head` None: to be read before the next write. `waiting`: what goes into the next write.
    `rolled`, `flushed`, `followed`: see `Settled`. `answers`: calls of `done`, by the write that
    they wait for, in its order; None: not known yet. `following`: held by the write whose followers
    are written, in the order of writes.
    """

    def __init__(self, conv: ConvID) -> None:
        self.conv = conv
        self.head: LogHead | None = None
        self.window: Window | None = None
        self.waiting: deque[Pending] = deque()
        self.rolled: tuple[Record, ...] = ()
        self.flushed: dict[Uid, Seq] = {}
        self.followed: set[Seq] = set()
        self.answers: deque[Answers] = deque()
        self.following = asyncio.Lock()
        self.reading = asyncio.Lock()
        self.task: asyncio.Task[None] | None = None
        self._queued = 0
        self._finished = 0
        self._turn: asyncio.Future[None] | None = None

    def queue(self, pending: Pending) -> None:
        """Have a request go into the next write."""
        self.waiting.append(pending)
        self._queued += 1

    def finish(self, count: int) -> None:
        """So many requests have been written, or refused."""
        self._finished += count
        turn, self._turn = self._turn, None
        if turn is not None:
            turn.set_result(None)

    async def written(self) -> None:
        """Return when all that was queued until now has been written, or refused."""
        queued = self._queued
        while self._finished < queued:
            if self._turn is None:
                self._turn = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._turn)

    def forget(self, settled: Settled) -> None:
        """`settled` has gone from the head."""
        self.rolled = ()
        self.followed -= settled.followed
        for uid, seq in settled.flushed.items():
            if self.flushed.get(uid) == seq:
                del self.flushed[uid]

    @property
    def settled(self) -> Settled:
        """What can go from the head with the next write."""
        return Settled(self.rolled, dict(self.flushed), frozenset(self.followed))

    @property
    def is_idle(self) -> bool:
        """Whether it can be forgotten."""
        busy = self.task or self.waiting or self.answers or self.followed
        return not (busy or self.reading.locked() or self.following.locked())


class Answers:
    """What the requests of one write are told, once it is known and its turn has come.

    `after`: the log's last `Seq` before that write, 0 until it is known.
    """

    __slots__ = ("after", "calls")

    def __init__(self) -> None:
        self.after: Seq = 0
        self.calls: list[Callable[[], None]] | None = None


class KnownLogs:
    """Logs by ConvID; beyond `most` those that nobody asked for longest are forgotten."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._logs: OrderedDict[ConvID, KnownLog] = OrderedDict()

    def get(self, conv: ConvID) -> KnownLog:
        """What is known of a log, maybe nothing."""
        known = self._logs.get(conv)
        if known is None:
            self._forget()
            known = self._logs[conv] = KnownLog(conv)
        self._logs.move_to_end(conv)
        return known

    def peek(self, conv: ConvID) -> KnownLog | None:
        """What is known of a log, if anything is."""
        return self._logs.get(conv)

    def all(self) -> list[KnownLog]:
        """All that are known."""
        return list(self._logs.values())

    def _forget(self) -> None:
        excess = len(self._logs) + 1 - self._most
        if excess <= 0:
            return
        idle = [conv for conv, known in list(self._logs.items())[: excess + 64] if known.is_idle]
        for conv in idle[:excess]:
            del self._logs[conv]

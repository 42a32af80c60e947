"""How appends and moves reach the tables: the plain ones by one statement, others under locks.

An append with nothing to follow, to a log that exists, asks nothing that one statement cannot
decide (`plain.py`). What is not plain, or was refused so, is decided in memory while its logs are
locked (`batch.py`, `tables.py`).
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from itertools import chain
from typing import Any, Final

import asyncpg

from webchat.adapters.postgresql.batch import Batch, Key, Known, keys_of, logs_of
from webchat.adapters.postgresql.connections import Connection, Connections, in_transaction
from webchat.adapters.postgresql.failures import refusal
from webchat.adapters.postgresql.moves import move
from webchat.adapters.postgresql.plain import Plain, is_plain
from webchat.adapters.postgresql.tables import load, load_keys, lock_logs, write
from webchat.adapters.postgresql.writer import Asked, Deliver
from webchat.errors import Code, MembersChanged, WebchatError
from webchat.model import ConvID
from webchat.ports.clock import Clock
from webchat.ports.log import Append

_IDS: Final = "SELECT name, id FROM log WHERE name = ANY($1::text[])"
_MOST_LOGS: Final = 2_000
"""That appends in one transaction may write to, unless one alone writes to more: or many who bring
hundreds of people in at once would take longer than an act may, and keep messages waiting."""

Write = Callable[[Sequence[Any], Connection], Awaitable[Sequence[object]]]


class Appends:
    """Commits what the writer gives it, on `connections`, of which it uses one."""

    def __init__(self, connections: Connections, clock: Clock, max_known_logs: int) -> None:
        self._connections = connections
        self._clock = clock
        self._max_known_logs = max_known_logs
        self._ids: dict[ConvID, int] = {}
        self.is_failing = False
        """The newest commit failed."""

    async def commit(self, batch: Sequence[Asked], deliver: Deliver) -> Sequence[Asked]:
        """Write the appends of `batch`, then its moves; tell each outcome once it is durable.

        Returns what is too much for one transaction, and the moves behind it.
        """
        appends = [asked for asked in batch if isinstance(asked.argument, Append)]
        left: Sequence[Asked] = ()
        if appends:
            not_plain = await self._append_plain(appends, deliver)
            count = _at_once(not_plain)
            await self._write(not_plain[:count], self._decide, deliver)
            left = not_plain[count:]
        end = batch.index(left[0]) if left else len(batch)
        moves = [each for each in batch[:end] if not isinstance(each.argument, Append)]
        await self._write(moves, move, deliver)
        waiting = {id(each) for each in left}
        return [
            each
            for each in batch[end:]
            if id(each) in waiting or not isinstance(each.argument, Append)
        ]

    async def _append_plain(self, asked: Sequence[Asked], deliver: Deliver) -> Sequence[Asked]:
        """Append what is plain; returns what is still to be appended, in order."""
        plain: Sequence[Asked] = ()
        try:
            await self._know([each.argument.conv for each in asked])
            plain = self._plain_among(asked)
            if not plain:
                return asked
            try:
                appended = await self._write_plain(plain)
            except asyncpg.UniqueViolationError:
                plain = await self._new_among(plain)
                appended = await self._write_plain(plain) if plain else ()
        except WebchatError as error:
            self._fail(asked, error, deliver)
            return ()
        except Exception:
            # A key that came up meanwhile, or a request that is a defect: what each comes to is
            # decided then.
            return asked
        self.is_failing = False
        done = {id(each): it for each, it in zip(plain, appended, strict=True) if it is not None}
        deliver([each for each in plain if id(each) in done], list(done.values()))
        for each in plain:
            if id(each) not in done:
                self._ids.pop(each.argument.conv, None)  # it may be another log's by now
        return [each for each in asked if id(each) not in done]

    async def _know(self, convs: Sequence[ConvID]) -> None:
        """Find out the ids of those logs that exist."""
        unknown = sorted({conv for conv in convs if conv not in self._ids})
        if not unknown:
            return
        if len(self._ids) + len(unknown) > self._max_known_logs:
            self._ids.clear()
            unknown = sorted(set(convs))
        rows = await self._connections.run(lambda connection: connection.fetch(_IDS, unknown))
        self._ids.update(map(tuple, rows))

    def _plain_among(self, asked: Sequence[Asked]) -> Sequence[Asked]:
        """The plain ones, but for those of logs where one that is not plain comes before."""
        plain: list[Asked] = []
        behind: set[ConvID] = set()
        for each in asked:
            conv = each.argument.conv
            if conv in self._ids and conv not in behind and is_plain(each.argument):
                plain.append(each)
            else:
                behind.add(conv)
        return plain

    async def _new_among(self, plain: Sequence[Asked]) -> Sequence[Asked]:
        """Those that have no key which is met again, nor come behind one that has in its log."""
        known = Known()
        keys = set(chain.from_iterable(map(_keys, plain)))
        await self._connections.run(
            lambda connection: load_keys(connection, known, self._ids, keys)
        )
        new: list[Asked] = []
        met, behind = set(known.keys), set[ConvID]()
        for each in plain:
            conv, own = each.argument.conv, _keys(each)
            if conv in behind or not met.isdisjoint(own):
                behind.add(conv)
            else:
                met.update(own)
                new.append(each)
        return new

    async def _write_plain(self, plain: Sequence[Asked]) -> Sequence[object]:
        requests = [each.argument for each in plain]
        return await self._connections.run(
            lambda connection: Plain(requests, self._ids).append(connection, self._clock.now_ms())
        )

    async def _write(self, asked: Sequence[Asked], write: Write, deliver: Deliver) -> None:
        """Do all of `asked` together; if one of them is a defect, each alone."""
        if not asked:
            return
        arguments = [each.argument for each in asked]
        try:
            outcomes = await self._connections.run(partial(write, arguments))
        except WebchatError as error:
            self._fail(asked, error, deliver)
        except Exception as error:
            if len(asked) == 1:
                logging.getLogger(__name__).error("a write failed", exc_info=error)
                deliver(asked, [refusal(error)])
            else:
                for each in asked:
                    await self._write([each], write, deliver)
        else:
            self.is_failing = False
            deliver(asked, outcomes)

    def _fail(self, asked: Sequence[Asked], error: WebchatError, deliver: Deliver) -> None:
        logger = logging.getLogger(__name__)
        is_outage = error.code is Code.UNAVAILABLE
        if not is_outage:
            logger.error("a batch was not committed", exc_info=error)
        elif not self.is_failing:
            logger.warning("the database commits nothing: %r", error.__cause__ or error)
        self.is_failing = is_outage
        deliver(asked, [error] * len(asked))

    async def _decide(self, requests: Sequence[Append], connection: Connection) -> list[object]:
        """Append `requests` while their logs are locked."""

        async def run(connection: Connection) -> list[object]:
            known, ids = await lock_logs(connection, requests)
            await load(connection, known, ids, requests)
            batch = Batch(known, self._clock.now_ms())
            outcomes = [_outcome(batch, request) for request in requests]
            await write(connection, batch.rows, known, ids)
            return outcomes

        return await in_transaction(connection, run)


def _keys(asked: Asked) -> list[Key]:
    return [(asked.argument.conv, *key) for key in keys_of(asked.argument.drafts)]


def _at_once(asked: Sequence[Asked]) -> int:
    """How many of these appends, from the first on, one transaction decides."""
    logs = 0
    for count, each in enumerate(asked):
        logs += len(logs_of(each.argument))
        if count and logs > _MOST_LOGS:
            return count
    return len(asked)


def _outcome(batch: Batch, request: Append) -> object:
    try:
        return batch.append(request)
    except (MembersChanged, WebchatError) as refused:
        return refused

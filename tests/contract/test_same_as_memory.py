"""Whatever is asked of a store in whatever order: it answers what the one in memory does.

A failing seed is in the test's name. WEBCHAT_STORE_SEEDS: how many.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from random import Random
from typing import Final

import pytest

from tests.contract.asking import (
    create,
    depart,
    message,
    move,
    react,
    refer,
    remove,
    send,
    to_pair,
    with_row,
)  # fmt: skip
from tests.memory import ManualClock, MemoryStore
from webchat.errors import MembersChanged, WebchatError
from webchat.model import ConvID, Draft, Group, Membership, Seq, Uid, pair_conv, user_log
from webchat.ports.log import Append, Appended, Change, Follow
from webchat.ports.positions import Move
from webchat.ports.store import Store

SEEDS: Final = int(os.environ.get("WEBCHAT_STORE_SEEDS", "2"))
STEPS: Final = 60
UIDS: Final = ("ann", "Ann", "bob", "cid", "d" * 64)
GROUPS: Final = ("group_x", "group_X", f"group_{'y' * 64}")
CONVS: Final = (*GROUPS, pair_conv("ann", "bob"), pair_conv("bob", "bob"), "group_none")
MSG_IDS: Final = ("", "1", "2", " 1", "\0", "1\0", "é", "e\u0301", "%", "'", "😀" * 64)
TEXTS: Final = ("", "hello", "%s%d", "x" * 3_000)
REACTIONS: Final = ("", "👍", "\0", "x" * 64)

Ask = Callable[[Store], Awaitable[object]]


class Twins:
    """A store and the one in memory, of which the same is asked."""

    def __init__(self, store: Store, clock: ManualClock, seed: int) -> None:
        self.rng = Random(seed)
        self._store = store
        self._clock = clock
        self._model = MemoryStore(clock)

    async def step(self) -> None:
        """Something happens, or is read."""
        kind = self.rng.randrange(8)
        if kind == 0:
            self._clock.advance(self.rng.choice([0.001, 1, 3_600]))
        elif kind == 1:
            moves = [self._move() for _ in range(self.rng.randrange(4))]
            await self.ask(lambda store: move(store, *moves))
        elif kind < 5:
            requests = [await self._change_of_members()] if self.rng.randrange(2) else []
            requests += [await self._said() for _ in range(self.rng.randrange(6))]
            await self.ask(lambda store: _outcomes(store, requests))
        else:
            await self.ask(self._question())

    async def ask(self, ask: Ask) -> None:
        """Ask both; the answers are the same."""
        expected = await ask(self._model)
        assert await ask(self._store) == expected

    async def read_all(self) -> None:
        """All that both have is the same."""
        for conv in (*CONVS, *map(user_log, UIDS)):
            await self.ask(partial(_all_of, conv=conv))

    def _move(self) -> Move:
        seqs = (0, 1, 2, 5, 9, 2**53)
        pick = self.rng.choice
        return Move(pick(CONVS), pick(UIDS), pick(seqs), pick(seqs))

    async def _change_of_members(self) -> Append:
        """Somebody makes a group, or comes in or leaves; or a pair talks."""
        pick, some = self.rng.choice, self.rng.sample(UIDS, 2)
        group = pick(GROUPS)
        present = list(await self._model.members.page(group, "", 99))
        if not present:
            return with_row(create(group, *some, msg_id=pick(MSG_IDS)), Group(group, "Näme\0"))
        span, kind = pick(present), self.rng.randrange(5)
        if kind == 0 and len(present) > 1:
            return depart(group, span.uid, span.since)
        if kind == 1 and len(present) > 1:
            return remove(group, present[0].uid, span.uid, span.since)
        if kind == 2:
            role = Membership(group, span.uid, span.since, None, pick(["", "admin"]))
            return Append(group, (message(span.uid, ""),), follow=Follow((role,)))
        return to_pair("ann", "bob", pick(MSG_IDS)) if kind == 3 else refer(group, some[0], *some)

    async def _said(self) -> Append:
        """What brings nobody in or out."""
        pick = self.rng.choice
        conv, uid = pick(CONVS[:-1]), pick(UIDS)
        entries = await self._model.log.read(conv, 0, 10_000)
        refers = pick([entry.seq for entry in entries if entry.kind == "message"] or [7])
        kind = self.rng.randrange(6)
        if kind == 0:
            return react(conv, uid, refers, pick(REACTIONS))
        if kind == 1:
            change = Change(pick(["edit", "delete"]), refers, uid, pick(TEXTS))
            draft = Draft(change.kind, uid, pick(MSG_IDS), b'{"Body":""}')
            return Append(conv, (draft,), follow=Follow(changes=(change,)))
        uids = self.rng.sample(UIDS, self.rng.randrange(1, 4))
        return Append(
            conv,
            tuple(message(each, pick(MSG_IDS), pick(TEXTS)) for each in uids),
            members_as_of=pick([None, None, 0, 2**53]),
            moves_sender=self.rng.randrange(2) > 0,
        )

    def _question(self) -> Ask:
        pick, rng = self.rng.choice, self.rng
        conv, uid, limit = pick([*CONVS, user_log("ann")]), pick(UIDS), pick([1, 2, 50])
        seq, before = pick([-1, 0, 1, 4, 2**70]), pick([None, 0, 4, 2**70])
        places: Mapping[ConvID, Seq] = {each: pick([-1, 0, 3]) for each in rng.sample(CONVS, 4)}
        several: Sequence[Uid] = rng.choices(UIDS, k=3)
        questions: Sequence[Ask] = (
            lambda store: store.log.read(conv, seq, limit),
            lambda store: store.log.read_each(places, limit),
            lambda store: store.log.read_before(conv, before, limit),
            lambda store: store.log.heads([*places, conv]),
            lambda store: store.members.spans(conv, uid),
            lambda store: store.members.at(conv, seq, limit),
            lambda store: store.members.successor(conv, uid),
            lambda store: store.members.sharing(uid, several),
            lambda store: store.members.group(conv),
            lambda store: store.positions.of_user(uid, list(places)),
            lambda store: store.positions.counts(conv, uid, [seq, 2, 3]),
            lambda store: store.following.newest(uid, None, limit),
        )
        return pick(questions)


async def _all_of(store: Store, *, conv: ConvID) -> Sequence[object]:
    """What a store has of a log."""
    return (
        await store.log.read(conv, 0, 10_000),
        await store.log.reactions(conv, range(99), 99),
        await store.members.page(conv, "", 99),
        await store.positions.of_members(conv, UIDS),
    )


async def _outcomes(store: Store, requests: Sequence[Append]) -> list[object]:
    """What comes of appends that are asked for together."""
    asked = [send(store, request) for request in requests]
    return [_plainly(each) for each in await asyncio.gather(*asked, return_exceptions=True)]


def _plainly(outcome: Appended | BaseException) -> object:
    """What every store tells of it."""
    if isinstance(outcome, MembersChanged):
        return "members changed"
    if isinstance(outcome, WebchatError):
        return outcome.code
    if isinstance(outcome, BaseException):
        raise outcome
    if not outcome.fresh:
        return [entry.seq for entry in outcome.entries]
    followed = sorted((entry.conv, entry.seq, entry.envelope) for entry in outcome.followed)
    return outcome.entries, followed, outcome.moved


@pytest.mark.parametrize("seed", range(SEEDS))
async def test_a_store_answers_what_the_one_in_memory_does(
    store: Store, clock: ManualClock, seed: int
) -> None:
    twins = Twins(store, clock, seed)
    for _ in range(STEPS):
        await twins.step()
    await twins.read_all()

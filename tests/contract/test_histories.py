"""Members and counts at every point of a group's history, against a model that tells it naively."""

from __future__ import annotations

from itertools import count
from typing import Final, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contract.asking import create, depart, message, move, refer, send
from tests.profiles import save_profile
from webchat.model import Profile
from webchat.ports.log import Append
from webchat.ports.positions import Move
from webchat.ports.store import Store

UIDS: Final = ("ann", "bob", "cid", "dan")
MANY_EXAMPLES: Final = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


class Step(NamedTuple):
    """`turn`: come in or leave; `say`: a message; `deliver`, `display`: up to `seq`."""

    act: str
    uid: str
    seq: int


STEPS = st.lists(
    st.builds(
        Step,
        st.sampled_from(["turn", "say", "deliver", "display"]),
        st.sampled_from(UIDS),
        st.integers(0, 15),
    ),
    max_size=25,
)


class Told:
    """A group's history as one would tell it: who was there after each entry, and how far."""

    def __init__(self, conv: str, founders: list[str]) -> None:
        self.conv = conv
        self.since = dict.fromkeys(founders, 1)
        self.delivered = dict.fromkeys(founders, 0)
        self.displayed = dict.fromkeys(founders, 0)
        self.present: list[list[str]] = [[]]
        self.goes_on()

    @property
    def last(self) -> int:
        return len(self.present) - 1

    def goes_on(self) -> None:
        self.present.append(sorted(self.since, key=lambda uid: (self.since[uid], uid)))

    def counts(self, author: str, seq: int, hiding: str) -> tuple[int, int]:
        readers = [uid for uid in self.since if uid != author and self.since[uid] < seq]
        shown = [uid for uid in readers if uid != hiding]
        return (
            sum(self.delivered[uid] >= seq for uid in readers),
            sum(self.displayed[uid] >= seq for uid in shown),
        )


@pytest.fixture
def names() -> count[int]:
    """Numbers for groups: all examples of a test share its store."""
    return count(1)


async def live(store: Store, told: Told, step: Step) -> None:
    """Let `step` happen in the store and in the tale."""
    uid, last = step.uid, told.last
    if step.act == "turn" and uid in told.since:
        await send(store, depart(told.conv, uid, told.since.pop(uid)))
        told.goes_on()
    elif step.act == "turn":
        await send(store, refer(told.conv, "ann", uid))
        told.since[uid] = last + 1
        told.delivered[uid] = told.displayed[uid] = last
        told.goes_on()
    elif step.act == "say":
        await send(store, Append(told.conv, (message(uid, f"m{last}"),)))
        told.goes_on()
    elif uid in told.since:
        await read_on(store, told, step)


async def read_on(store: Store, told: Told, step: Step) -> None:
    uid, seq = step.uid, min(step.seq, told.last)
    if step.act == "display":
        await move(store, Move(told.conv, uid, 0, step.seq))
        told.displayed[uid] = max(told.displayed[uid], seq)
    else:
        await move(store, Move(told.conv, uid, step.seq, 0))
    told.delivered[uid] = max(told.delivered[uid], seq)


async def tell(store: Store, names: count[int], founders: list[str], steps: list[Step]) -> Told:
    told = Told(f"group_{next(names)}", founders)
    await send(store, create(told.conv, *founders))
    for step in steps:
        await live(store, told, step)
    return told


FOUNDERS = st.lists(st.sampled_from(UIDS), min_size=1, unique=True)


@MANY_EXAMPLES
@given(founders=FOUNDERS, steps=STEPS)
async def test_members_as_of_every_entry(
    store: Store, names: count[int], founders: list[str], steps: list[Step]
) -> None:
    told = await tell(store, names, founders, steps)
    for seq, present in enumerate(told.present):
        assert await store.members.at(told.conv, seq, 9) == (present, len(present))
        assert await store.members.at(told.conv, seq, 1) == (present[:1], len(present))
    now = told.present[-1]
    assert await store.members.at(told.conv, 2**70, 9) == (now, len(now))


@MANY_EXAMPLES
@given(founders=FOUNDERS, steps=STEPS, author=st.sampled_from(UIDS), hiding=st.sampled_from(UIDS))
async def test_counts_of_every_entry(
    store: Store,
    names: count[int],
    founders: list[str],
    steps: list[Step],
    author: str,
    hiding: str,
) -> None:
    for uid in UIDS:
        profile = Profile(uid, uid, "", uid != hiding, "everybody", False)
        await save_profile(store.accounts, profile, 1)
    told = await tell(store, names, founders, steps)
    seqs = range(1, told.last + 2)
    expected = {seq: told.counts(author, seq, hiding) for seq in seqs}
    assert await store.positions.counts(told.conv, author, seqs) == expected

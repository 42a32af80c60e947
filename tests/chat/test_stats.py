"""What the chat layer counts."""

from __future__ import annotations

from tests.chat.watched import WatchedStore
from tests.chat.world import World, settle
from webchat.chat.stats import BOUNDS_S, Durations


def test_durations_are_counted_up_to_their_bounds() -> None:
    durations = Durations()
    for seconds in (0.0, 0.001, 0.002, 5.0, 6.0):
        durations.add(seconds)
    assert durations.counts[0] == 2
    assert durations.counts[1] == 1
    assert durations.counts[-2:] == [1, 1]
    assert sum(durations.counts) == 5
    assert durations.sum_s == 11.003


async def test_one_append_at_a_time_is_timed(
    world: World, near: World, watched: WatchedStore
) -> None:
    anna = await near.joined("anna")
    watched.log.outcomes = []
    for number in range(3):
        anna.say("chat", anna.message("ben", str(number)))
    await settle()
    world.clock.advance(0.2)
    watched.log.tell()
    await anna.send("ben", "at once")
    counts = near.chat.stats.append_s.counts
    assert counts[BOUNDS_S.index(0.25)] == 1
    assert counts[0] == 1
    assert sum(counts) == 2

"""How fast one connection may speak."""

from __future__ import annotations

import pytest

from webchat.chat.rates import Bucket

PER_S, BURST = 30.0, 300


def taken(bucket: Bucket, now_s: float) -> int:
    """How many events are let through at that time."""
    count = 0
    while bucket.take(now_s, PER_S, BURST) == 0:
        count += 1
    return count


@pytest.mark.parametrize("now_s", [0.0, 1e6 / 3])
def test_a_burst_goes_at_once_and_then_as_many_as_time_has_passed(now_s: float) -> None:
    bucket = Bucket()
    assert taken(bucket, now_s) == BURST
    assert taken(bucket, now_s + 1) == PER_S
    assert taken(bucket, now_s + 2.5) == 1.5 * PER_S


def test_a_long_silence_earns_no_more_than_a_burst() -> None:
    bucket = Bucket()
    taken(bucket, 0)
    assert taken(bucket, 86_400) == BURST


def test_who_waits_as_long_as_is_said_may_go_on() -> None:
    bucket = Bucket()
    taken(bucket, 5)
    wait_ms = bucket.take(5, PER_S, BURST)
    assert wait_ms == 34
    assert bucket.take(5 + wait_ms / 1000, PER_S, BURST) == 0
    assert bucket.take(5 + wait_ms / 1000, PER_S, BURST) > 0

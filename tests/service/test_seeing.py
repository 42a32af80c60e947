"""What somebody may see of a log who came and went."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import overload

import pytest

from webchat.service.seeing import Span, is_in

SPANS: tuple[Span, ...] = ((3, 5), (7, 7), (8, 12), (20, math.inf))


@pytest.mark.parametrize("count", range(len(SPANS) + 1))
def test_an_entry_is_seen_from_a_coming_to_the_going(count: int) -> None:
    spans = SPANS[:count]
    for seq in range(30):
        assert is_in(seq, spans) is any(since <= seq <= until for since, until in spans)


class Counted(Sequence[Span]):
    """Spans, and how often they were looked at."""

    def __init__(self, spans: Sequence[Span]) -> None:
        self._spans = spans
        self.looks = 0

    def __len__(self) -> int:
        return len(self._spans)

    @overload
    def __getitem__(self, at: int) -> Span: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[Span]: ...
    def __getitem__(self, at: int | slice) -> Span | Sequence[Span]:
        self.looks += 1
        return self._spans[at]


def test_whoever_came_and_went_ten_thousand_times_is_not_looked_for_in_each() -> None:
    spans = Counted([(3 * at, 3 * at + 1) for at in range(10_000)])
    assert is_in(15_001, spans)
    assert not is_in(15_002, spans)
    assert spans.looks < 40

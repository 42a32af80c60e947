"""What the writer of an SQLite store remembers of logs: all of it until told, then what is new."""

from __future__ import annotations

from webchat.adapters.sqlite.recent import Recent


def test_nothing_is_forgotten_before_it_is_told_to() -> None:
    recent: Recent[str, int] = Recent(2)
    for number, key in enumerate("abcd"):
        recent.put(key, number)
    assert [recent.get(key) for key in "abcd"] == [0, 1, 2, 3]


def test_what_was_used_longest_ago_is_forgotten() -> None:
    recent: Recent[str, int] = Recent(2)
    for number, key in enumerate("abcd"):
        recent.put(key, number)
    recent.get("a")
    recent.trim()
    assert [recent.get(key) for key in "abcd"] == [0, None, None, 3]

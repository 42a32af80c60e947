"""The cookie of a login among all that a browser sends to a host."""

from __future__ import annotations

import pytest

from webchat.protocol.cookies import cookie_in


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("session=a", "a"),
        ("theme=dark; session=a; x=y", "a"),
        ("session=a;session=b", "b"),
        ('a; {"q": 1}; =; session = a=b ', "a=b"),
        ("mysession=a; session2=b; session", ""),
        ("", ""),
    ],
)  # fmt: skip
def test_of_several_cookies_of_a_name_the_last_counts_whatever_else_is_there(
    header: str, value: str
) -> None:
    assert cookie_in(header, "session") == value

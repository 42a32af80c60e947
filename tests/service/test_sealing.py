"""Envelopes sealed one by one, or by their log's form: the same bytes."""

from __future__ import annotations

import pytest

from webchat.model import Draft, seal, sealing_form, user_log

DRAFT = Draft("message", "ann", "m1", b'{"EvtType":"message","Body":"100%d"}')


@pytest.mark.parametrize("conv", ["dm:ann:bob", "group_x", "group_100%d"])
def test_the_form_of_a_log_seals_as_seal_does(conv: str) -> None:
    form = sealing_form(conv)
    assert form is not None
    sealed = form % (DRAFT.envelope[:-1], 7, 5, 1_700_000_000_123)
    assert sealed == seal(DRAFT, conv, 7, 5, 1_700_000_000_123).envelope


def test_the_log_of_a_user_has_no_form() -> None:
    assert sealing_form(user_log("ann")) is None

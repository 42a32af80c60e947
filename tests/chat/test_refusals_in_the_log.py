"""Whoever asks for details in the log sees what was refused, and nothing of what was said."""

from __future__ import annotations

from structlog.testing import capture_logs

from tests.chat.world import World


async def test_a_refusal_is_a_line_with_who_and_why_and_without_the_text(world: World) -> None:
    anna = await world.joined("anna")
    with capture_logs() as lines:
        ack = await anna.send("ben", "secret", From="ben")
    assert ack["error"]["code"] == "forbidden"
    (line,) = lines
    assert (line["event"], line["log_level"]) == ("refused", "debug")
    assert (line["uid"], line["code"]) == ("anna", "forbidden")
    assert "secret" not in repr(line)

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


async def test_a_refused_receipt_is_a_line_as_any_refusal(world: World) -> None:
    anna, ben = await world.joined("anna"), await world.joined("ben")
    await anna.send("ben", "secret")
    world.store.is_down = True
    with capture_logs() as lines:
        ack = await ben.confirm("display", "anna", ConvID="dm:anna:ben", Seq=1)
    assert ack["error"]["code"] == "unavailable"
    (line,) = [line for line in lines if line["event"] == "refused"]
    assert (line["uid"], line["code"]) == ("ben", "unavailable")
    assert world.chat.stats.refused == 1

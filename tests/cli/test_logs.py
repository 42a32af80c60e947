"""Log lines: JSON for machines, coloured text for people, and nothing in them that is secret."""

from __future__ import annotations

import errno
import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from webchat import logs


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """Put logging back as it was."""
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    yield
    root.handlers[:] = before
    root.setLevel(level)
    logging.getLogger("uvicorn").setLevel(logging.NOTSET)
    structlog.reset_defaults()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_pipe_gets_one_json_object_a_line() -> None:
    stream = io.StringIO()
    logs.configure(stream, "info")
    structlog.get_logger().info("listening", url="http://127.0.0.1:1/")
    (line,) = lines(stream)
    assert (line["event"], line["level"]) == ("listening", "info")
    assert line["url"] == "http://127.0.0.1:1/"
    assert line["timestamp"].endswith("Z")


def test_a_terminal_gets_text_for_people() -> None:
    stream = Terminal()
    logs.configure(stream, "info")
    structlog.get_logger().info("listening", url="http://127.0.0.1:1/")
    assert "listening" in stream.getvalue()
    assert not stream.getvalue().startswith("{")


def test_what_is_below_the_level_is_not_written() -> None:
    stream = io.StringIO()
    logs.configure(stream, "warning")
    structlog.get_logger().info("chatter")
    logging.getLogger("some.library").info("chatter")
    assert stream.getvalue() == ""


def test_libraries_come_by_the_same_way() -> None:
    stream = io.StringIO()
    logs.configure(stream, "info")
    logging.getLogger("some.library").error("disk %s", "full")
    (line,) = lines(stream)
    assert (line["event"], line["logger"], line["level"]) == ("disk full", "some.library", "error")


def test_uvicorn_does_not_log_what_clients_do() -> None:
    stream = io.StringIO()
    logs.configure(stream, "info")
    logging.getLogger("uvicorn.error").info("connection open")
    assert stream.getvalue() == ""


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()], ids=["pipe", "terminal"])
def test_a_traceback_shows_no_local_variables(stream: io.StringIO) -> None:
    logs.configure(stream, "info")
    body = "".join(["a very ", "private body"])
    try:
        raise RuntimeError(f"failed with {len(body)} characters")
    except RuntimeError:
        structlog.get_logger().exception("a fault")
    assert "failed with 19 characters" in stream.getvalue()
    assert "a very private body" not in stream.getvalue()


class Broken(io.StringIO):
    """A stream on a disk that is full until `reason` is None."""

    reason: Exception | None = OSError(errno.ENOSPC, "no space")

    def write(self, text: str) -> int:
        if self.reason is not None:
            raise self.reason
        return super().write(text)

    def flush(self) -> None:
        if self.reason is not None:
            raise self.reason


@pytest.mark.parametrize("reason", [OSError(errno.EPIPE, "broken pipe"), ValueError("closed file")])
def test_a_line_that_cannot_be_written_is_lost_and_nothing_else(reason: Exception) -> None:
    stream = Broken()
    stream.reason = reason
    logs.configure(stream, "info")
    structlog.get_logger().error("lost")
    logging.getLogger("some.library").error("lost, too")
    stream.reason = None
    structlog.get_logger().info("kept")
    assert [line["event"] for line in lines(stream)] == ["kept"]


def test_a_process_without_standard_error_logs_nothing() -> None:
    logs.configure(None, "info")
    structlog.get_logger().error("lost")

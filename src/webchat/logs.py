"""Logs: structlog, coloured for a person at a terminal, JSON lines for everything else.

A line says what happened in plain words, and names what it happened to in fields. It never holds
a message's body or a token: callers pass ids, counts and codes. `session` and the adapters, which
can be used by themselves, log by the standard library; it goes the same way.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import TextIO, cast

import structlog
from structlog.typing import Processor


class _Patient:
    """A stream that loses what cannot be written: a full disk, or a reader that is gone, costs log
    lines and never what was about to be done. None: a process without standard error."""

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with suppress(OSError, ValueError):
            if self._stream is not None:
                self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            if self._stream is not None:
                self._stream.flush()


class _Forward(logging.Handler):
    """Hands what libraries log by the standard library to the same pipeline."""

    def emit(self, record: logging.LogRecord) -> None:
        logger = structlog.get_logger().bind(logger=record.name)
        logger.log(record.levelno, record.getMessage(), exc_info=record.exc_info)


def configure(stream: TextIO | None, level: str) -> None:
    """Write log lines of at least `level` (debug, info, warning, error) to `stream`, as far as it
    takes them: no line raises."""
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            *_rendering(stream is not None and stream.isatty()),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        # Each line in one piece: workers write to the same stream.
        logger_factory=structlog.WriteLoggerFactory(cast(TextIO, _Patient(stream))),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(handlers=[_Forward()], level=number, force=True)
    # Only faults of the server itself: what clients do wrong is counted, not logged; and no word on
    # where credentials were found.
    for library in ("uvicorn", "aiobotocore", "botocore"):
        logging.getLogger(library).setLevel(max(number, logging.WARNING))


def _rendering(terminal: bool) -> list[Processor]:
    # Plain tracebacks: the richer ones print local variables, and those hold bodies and tokens.
    if terminal:
        return [
            structlog.processors.TimeStamper("%H:%M:%S", utc=False),
            structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
        ]
    return [
        structlog.processors.TimeStamper("iso"),
        structlog.processors.format_exc_info,
        structlog.processors.JSONRenderer(),
    ]

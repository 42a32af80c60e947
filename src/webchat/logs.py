"""Logs: structlog, coloured for a person at a terminal, JSON lines for everything else.

What is logged never holds a message's body or a token: callers pass ids, counts and codes.
"""

from __future__ import annotations

import logging
from typing import TextIO

import structlog
from structlog.typing import Processor


class _Forward(logging.Handler):
    """Hands what libraries log by the standard library to the same pipeline."""

    def emit(self, record: logging.LogRecord) -> None:
        logger = structlog.get_logger().bind(logger=record.name)
        logger.log(record.levelno, record.getMessage(), exc_info=record.exc_info)


def configure(stream: TextIO, level: str) -> None:
    """Write log lines of at least `level` (debug, info, warning, error) to `stream`."""
    number = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            *_rendering(stream.isatty()),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        # Each line in one piece: workers write to the same stream.
        logger_factory=structlog.WriteLoggerFactory(stream),
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

"""Signals and files to wait for, without a loop: what a parent of workers sleeps on."""

from __future__ import annotations

import select
import signal
import socket
from collections.abc import Sequence
from types import FrameType
from typing import Final

_ENDING: Final = (signal.SIGTERM, signal.SIGINT)
_HEARD: Final = (*_ENDING, signal.SIGCHLD)
_PIECE_BYTES: Final = 4_096


class Signals:
    """A context in which SIGTERM, SIGINT and SIGCHLD do nothing but end a `wait`.

    `is_asked_to_end`: one of the first two came.
    """

    def __init__(self) -> None:
        self.is_asked_to_end = False
        self._heard, self._told = socket.socketpair()
        self._heard.setblocking(False)
        self._told.setblocking(False)

    def wait(self, files: Sequence[int], timeout_s: float | None) -> None:
        """Return at a signal, when one of `files` can be read, or after `timeout_s`."""
        told = self._heard.fileno()
        readable, _, _ = select.select([told, *files], [], [], timeout_s)
        if told in readable:
            numbers = self._heard.recv(_PIECE_BYTES)
            self.is_asked_to_end |= any(number in numbers for number in _ENDING)

    def leave(self) -> None:
        """Be as before; in a process that was forked, too."""
        signal.set_wakeup_fd(-1)
        for number in _HEARD:
            signal.signal(number, signal.SIG_DFL)
        self._heard.close()
        self._told.close()

    def __enter__(self) -> Signals:
        for number in _HEARD:
            signal.signal(number, _nothing)
        signal.set_wakeup_fd(self._told.fileno(), warn_on_full_buffer=False)
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()


def _nothing(_number: int, _frame: FrameType | None) -> None:
    """The wakeup file tells of the signal."""

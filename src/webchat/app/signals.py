"""The signals that end a server; and to wait for them and for files without a loop, as a parent of
workers does."""

from __future__ import annotations

import select
import signal
import socket
from collections.abc import Sequence
from types import FrameType
from typing import Final

_PIECE_BYTES: Final = 4_096


def ending() -> list[signal.Signals]:
    """Those that ask a server to end. `nohup` has SIGHUP ignored: then it is none of them."""
    ignored = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    return [signal.SIGTERM, signal.SIGINT] + [signal.SIGHUP] * (not ignored)


class Signals:
    """A context in which those that are `ending`, and SIGCHLD, do nothing but end a `wait`.

    `is_asked_to_end`: one of the former came; `is_hurried`: and then a SIGINT.
    """

    def __init__(self) -> None:
        self.is_asked_to_end = False
        self.is_hurried = False
        self._ending = ending()
        self._all = (*self._ending, signal.SIGCHLD)
        self._heard, self._told = socket.socketpair()
        self._heard.setblocking(False)
        self._told.setblocking(False)

    def wait(self, files: Sequence[int], timeout_s: float | None) -> None:
        """Return at a signal, when one of `files` can be read, or after `timeout_s`."""
        told = self._heard.fileno()
        readable, _, _ = select.select([told, *files], [], [], timeout_s)
        if told in readable:
            for number in self._heard.recv(_PIECE_BYTES):
                self.is_hurried |= self.is_asked_to_end and number == signal.SIGINT
                self.is_asked_to_end |= number in self._ending

    def leave(self) -> None:
        """Be as before; in a process that was forked, too."""
        signal.set_wakeup_fd(-1)
        for number in self._all:
            signal.signal(number, signal.SIG_DFL)
        self._heard.close()
        self._told.close()

    def __enter__(self) -> Signals:
        for number in self._all:
            signal.signal(number, _nothing)
        signal.set_wakeup_fd(self._told.fileno(), warn_on_full_buffer=False)
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()


def _nothing(_number: int, _frame: FrameType | None) -> None:
    """The wakeup file tells of the signal."""

"""What a process needs that starts servers and speaks to them, on whatever machine it is."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable
from contextlib import suppress
from typing import Final

_LOOPBACK: Final = "127.0.0.1,localhost"


def end_as_by_ctrl_c(others: Iterable[int] = ()) -> None:
    """Have SIGTERM end this process with all that it has started, as Ctrl-C does, and `others`, by
    their ids then. A second one does not interrupt that."""

    def end(*_: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        for pid in others:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, end)


def reach_loopback_directly() -> None:
    """Have no proxy that the environment names between this process, its children and servers."""
    os.environ["NO_PROXY"] = os.environ["no_proxy"] = _LOOPBACK

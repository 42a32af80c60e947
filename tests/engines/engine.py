"""What servers of other makers have in common: one process, on a port of its own, stopped by its
pid, that tests kill, start again where it was, and let stand still."""

from __future__ import annotations

import signal
import subprocess
import time
from abc import ABC, abstractmethod
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from tests.ports import free_port

UNTIL_THE_RUN_ENDS: Final = ExitStack()
"""What all tests of a process share, closed by tests/conftest.py: processes of a run side by side
end without their `atexit`."""
_POLL_S: Final = 0.01


class Engine(ABC):
    """A running server. Use it as a context: it must not outlive a test.

    `name`: what it is called when it does not come up. A subclass calls `start` once it is made.
    """

    ready_within_s = 20.0

    def __init__(self, name: str) -> None:
        self.name = name
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._running().pid

    def start(self) -> None:
        """Start it, again on the same port, and wait until it answers.

        Raises AssertionError with its own words if it does not.
        """
        assert self._process is None, "it runs already"
        self._process = self._spawn()
        try:
            self._wait_until_ready()
        except AssertionError:
            self.kill()
            raise

    def kill(self) -> None:
        """End it at once, as a crash would (SIGKILL); harmless when it is stopped."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    def pause(self) -> None:
        """Let it stand still with all connections open (SIGSTOP)."""
        self._running().send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on (SIGCONT)."""
        self._running().send_signal(signal.SIGCONT)

    @property
    @abstractmethod
    def log(self) -> Path:
        """Where its own words are."""

    @abstractmethod
    def _spawn(self) -> subprocess.Popen[bytes]:
        """Begin the process."""

    @abstractmethod
    def _ask(self) -> None:
        """Raises OSError while it does not answer."""

    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "it is stopped"
        return self._process

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + self.ready_within_s
        while time.monotonic() < deadline:
            assert self._running().poll() is None, f"{self.name} ended: {self.log.read_text()}"
            try:
                self._ask()
            except OSError:
                time.sleep(_POLL_S)
            else:
                return
        raise AssertionError(f"{self.name} did not come up: {self.log.read_text()}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()

"""A real `redis-server` for tests: free port, no persistence, stopped by its pid.

Tests stop it, start it again on the same port, and let it stand still. Nothing of it is kept.
"""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType

from tests.ports import free_port

READY_TIMEOUT_S = 10.0
_POLL_S = 0.01


class RedisServer:
    """A running Redis. Use it as a context: it must not outlive a test.

    `options`: of the command line, without dashes: `RedisServer("requirepass secret")`. Raises
    AssertionError with its own words if it does not come up.
    """

    def __init__(self, *options: str) -> None:
        self._directory = TemporaryDirectory(prefix="redis-")
        self._options = [word for option in options for word in f"--{option}".split()]
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.start()

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process is not None, "it is stopped"
        return self._process.pid

    def start(self) -> None:
        """Start it, again on the same port, and wait until it answers."""
        assert self._process is None, "it runs already"
        self._process = subprocess.Popen(
            [
                "redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "",
                "--appendonly", "no", "--dir", self._directory.name,
                "--logfile", str(self._log), *self._options,
            ]
        )  # fmt: skip
        try:
            self._wait_until_ready()
        except AssertionError:
            self.stop()
            raise

    def stop(self) -> None:
        """End it at once, as a crash would (SIGKILL); harmless when it is stopped."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()

    def pause(self) -> None:
        """Let it stand still with all connections open (SIGSTOP)."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on (SIGCONT)."""
        self._signal(signal.SIGCONT)

    def command(self, *words: str) -> str:
        """Its answer to a command without spaces in it, as raw RESP; over a connection of its own,
        without a login."""
        with socket.create_connection(("127.0.0.1", self.port), READY_TIMEOUT_S) as connection:
            connection.sendall((" ".join(words) + "\r\n").encode())
            return connection.recv(65_536).decode()

    def cpu_s(self) -> float:
        """CPU seconds it has used so far."""
        fields = Path(f"/proc/{self.pid}/schedstat").read_text().split()
        return int(fields[0]) / 1e9

    @property
    def _log(self) -> Path:
        return Path(self._directory.name) / "redis.log"

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None, "it is stopped"
        self._process.send_signal(number)

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_TIMEOUT_S
        while time.monotonic() < deadline:
            assert self._process is not None
            assert self._process.poll() is None, f"Redis ended: {self._log.read_text()}"
            try:
                self.command("PING")
            except OSError:
                time.sleep(_POLL_S)
            else:
                return
        raise AssertionError(f"Redis did not come up: {self._log.read_text()}")

    def __enter__(self) -> RedisServer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
        self._directory.cleanup()

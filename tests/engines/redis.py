"""A real `redis-server` for tests: free port, no persistence, nothing of it is kept."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType

from tests.engines.engine import Engine


class RedisServer(Engine):
    """A running Redis.

    `options`: of the command line, without dashes: `RedisServer("requirepass secret")`.
    """

    ready_within_s = 10.0

    def __init__(self, *options: str) -> None:
        super().__init__("Redis")
        self._directory = TemporaryDirectory(prefix="redis-")
        self._options = [word for option in options for word in f"--{option}".split()]
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.start()

    def command(self, *words: str) -> str:
        """Its answer to a command without spaces in it, as raw RESP; over a connection of its own,
        without a login."""
        with socket.create_connection(("127.0.0.1", self.port), self.ready_within_s) as connection:
            connection.sendall((" ".join(words) + "\r\n").encode())
            return connection.recv(65_536).decode()

    def cpu_s(self) -> float:
        """CPU seconds it has used so far."""
        fields = Path(f"/proc/{self.pid}/schedstat").read_text().split()
        return int(fields[0]) / 1e9

    @property
    def log(self) -> Path:
        """Where its own words are."""
        return Path(self._directory.name) / "redis.log"

    def _spawn(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [
                "redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "",
                "--appendonly", "no", "--dir", self._directory.name,
                "--logfile", str(self.log), *self._options,
            ]
        )  # fmt: skip

    def _ask(self) -> None:
        self.command("PING")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        super().__exit__(kind, error, trace)
        self._directory.cleanup()

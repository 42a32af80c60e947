"""A real engine that speaks DynamoDB's API, for tests: on a free port, stopped by its pid.

`dynalite` unless WEBCHAT_DYNAMODB_ENGINE names another (`dynoxide`, found on the PATH).
"""

from __future__ import annotations

import atexit
import os
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Final

from tests.ports import free_port

READY_TIMEOUT_S: Final = 20.0
CREDENTIALS: Final = {"AWS_ACCESS_KEY_ID": "webchat", "AWS_SECRET_ACCESS_KEY": "webchat"}
"""Any do; `shared_server` sets them for this process, where none are set."""
_POLL_S: Final = 0.02
_DYNALITE: Final = Path(__file__).parent / "dynalite/node_modules/dynalite/cli.js"


class DynamoServer:
    """A running engine that keeps its tables in `data`; they outlive `kill` and `start`."""

    def __init__(self, data: Path, name: str = "") -> None:
        self.name = name or os.environ.get("WEBCHAT_DYNAMODB_ENGINE", "dynalite")
        self.port = free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self._data = data
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process is not None, "it is stopped"
        return self._process.pid

    def start(self) -> None:
        """Start it, again on the same port, and wait until it listens."""
        assert self._process is None, "it runs already"
        self._data.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command(), stdout=log, stderr=log)
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
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on (SIGCONT)."""
        os.kill(self.pid, signal.SIGCONT)

    def new_table(self) -> str:
        """A name that no table has yet."""
        return f"webchat-{secrets.token_hex(6)}"

    @property
    def _log(self) -> Path:
        return self._data / "engine.log"

    def _command(self) -> list[str]:
        port = str(self.port)
        if self.name == "dynoxide":
            path = str(self._data / "tables.db")
            return [_found("dynoxide"), "serve", "--port", port, "--db-path", path]
        assert _DYNALITE.exists(), "dynalite is not installed: run `make setup`"
        path = str(self._data / "level")
        states = ["--createTableMs", "0", "--deleteTableMs", "0"]
        return [_found("node"), str(_DYNALITE), "--port", port, "--path", path, *states]

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_TIMEOUT_S
        while time.monotonic() < deadline:
            assert self._process is not None
            assert self._process.poll() is None, f"{self.name} ended: {self._log.read_text()}"
            try:
                socket.create_connection(("127.0.0.1", self.port), READY_TIMEOUT_S).close()
            except OSError:
                time.sleep(_POLL_S)
            else:
                return
        raise AssertionError(f"{self.name} did not come up: {self._log.read_text()}")

    def __enter__(self) -> DynamoServer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()


@cache
def shared_server() -> DynamoServer:
    """One engine for all tests of this process, ended with it."""
    for name, value in CREDENTIALS.items():
        os.environ.setdefault(name, value)
    data = Path(tempfile.mkdtemp(prefix="webchat-dynamodb-"))
    server = DynamoServer(data)
    atexit.register(shutil.rmtree, data, ignore_errors=True)
    atexit.register(server.kill)
    return server


def _found(program: str) -> str:
    path = shutil.which(program)
    assert path is not None, f"{program} is not on the PATH"
    return path

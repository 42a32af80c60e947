"""Real servers for tests: `python -m webchat serve` as a process of its own, stopped by its pid."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 25.0

LogLine = dict[str, Any]


class Server:
    """A running server. Use it as a context, or call `stop` or `kill`: it must not outlive a test.

    `variables`: of its environment. Raises AssertionError with the server's own words if it does
    not come up; so does the end of the context where it logged a fault, or ended in another way
    than it was asked to.
    """

    def __init__(self, data: Path, *options: str, port: int = 0, **variables: str) -> None:
        self.data = data
        self._log = _Log()
        self._expected: set[str] = set()
        command = [
            sys.executable,
            "-m",
            "webchat",
            "serve",
            "--data",
            str(data),
            "--port",
            str(port),
        ]
        self.process = subprocess.Popen(
            [*command, *options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env=_environment() | variables,
        )
        self._reader = threading.Thread(target=self._log.read, args=(self.process.stderr,))
        self._reader.start()
        try:
            self.url = str(self.logged("listening")["url"]).rstrip("/")
        except AssertionError:
            self.kill()
            raise

    @property
    def port(self) -> int:
        """The port it took."""
        port = urlsplit(self.url).port
        assert port is not None
        return port

    @property
    def log(self) -> list[LogLine]:
        """What it has logged so far."""
        return list(self._log.lines)

    def logged(self, event: str, timeout_s: float = START_TIMEOUT_S) -> LogLine:
        """Wait for the first log line with that event."""
        return self._log.find(event, timeout_s)

    def expect(self, fault: str) -> None:
        """The test provokes it: an event at level error."""
        self._expected.add(fault)

    @property
    def faults(self) -> list[LogLine]:
        """What it has logged of its own faults, and whatever else than log lines it wrote."""
        return [
            line
            for line in self.log
            if line["event"] not in self._expected
            and (line.get("level") in ("error", "critical", None) or "exception" in line)
        ]

    def terminate(self) -> None:
        """Ask it to drain and exit (SIGTERM), without waiting."""
        self.process.send_signal(signal.SIGTERM)

    def stop(self) -> int:
        """Ask it to exit and wait for it. Returns the exit code."""
        if self.process.poll() is None:
            self.terminate()
        return self.wait()

    def kill(self) -> None:
        """End it at once, as a crash would (SIGKILL)."""
        self.process.kill()
        self.wait()

    def wait(self, timeout_s: float = STOP_TIMEOUT_S) -> int:
        """Wait for its end, which something else has asked for. Returns the exit code."""
        try:
            return self.process.wait(timeout_s)
        finally:
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
            self._reader.join()
            if self.process.stderr is not None:
                self.process.stderr.close()

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        code = self.stop()
        if error is None:
            assert code in (0, -signal.SIGKILL), f"exit code {code}: {self.log}"
            assert not self.faults, self.faults


class _Log:
    """The JSON lines a server writes, read by a thread so that its pipe never fills up."""

    def __init__(self) -> None:
        self.lines: list[LogLine] = []
        self._ended = False
        self._changed = threading.Condition()

    def read(self, stream: Any) -> None:
        for line in stream:
            with self._changed:
                self.lines.append(_parsed(line))
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def find(self, event: str, timeout_s: float) -> LogLine:
        def found() -> LogLine | None:
            return next((line for line in self.lines if line.get("event") == event), None)

        with self._changed:
            self._changed.wait_for(lambda: found() is not None or self._ended, timeout_s)
            line = found()
        assert line is not None, f"the server never logged {event!r}: {self.lines}"
        return line


def _parsed(line: str) -> LogLine:
    try:
        return dict(json.loads(line))
    except ValueError:
        return {"event": "unparsed", "text": line}


def _environment() -> dict[str, str]:
    """As it is, but for settings; passwords of tests are hashed in no time."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("WEBCHAT_")}
    return others | {"WEBCHAT_ARGON2_MEMORY_KIB": "64"}

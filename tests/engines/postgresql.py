"""A real PostgreSQL server for tests and measurements: on a free port, stopped by its pid.

It refuses to run as root, so root starts it as the user `postgres`, whom Debian's package makes.
"""

from __future__ import annotations

import functools
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final
from urllib.parse import quote

from tests.engines.engine import UNTIL_THE_RUN_ENDS
from tests.ports import free_port

START_TIMEOUT_S: Final = 60.0
STOP_TIMEOUT_S: Final = 30.0
PASSWORD: Final = "s3cret:/@"
_USER: Final = "webchat"
_DEBIAN: Final = Path("/usr/lib/postgresql")


def binaries() -> Path:
    """Where `initdb` and `postgres` of one version lie. Raises FileNotFoundError."""
    versions = sorted(_DEBIAN.glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    found = versions[-1] if versions else shutil.which("initdb")
    if found is None:
        raise FileNotFoundError("PostgreSQL's initdb; on Debian: apt-get install postgresql")
    return Path(found).parent


class PostgresServer:
    """A server of its own data directory; its databases outlive `kill` and `start`."""

    def __init__(self, data: Path, *, fsync: bool = False) -> None:
        """Make the data directory below `data`, for the user `webchat` with PASSWORD."""
        self._data = data / "pg"
        self._log = data / "postgres.log"
        self._standby = self._data / "standby.signal"
        self._fsync = fsync
        self._numbers = itertools.count(1)
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._initdb(data)

    @property
    def pid(self) -> int:
        """The postmaster's."""
        assert self._process is not None
        return self._process.pid

    def url(self, database: str = "postgres", *, password: str = PASSWORD) -> str:
        """Where a database of this server is."""
        return f"postgresql://{_USER}:{quote(password, safe='')}@127.0.0.1:{self.port}/{database}"

    def new_database(self, name: str | None = None, *options: str) -> str:
        """The URL of a new, empty database; `options`: of `createdb`."""
        name = name or f"db_{next(self._numbers)}"
        _run("createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", _USER, *options, name)
        return self.url(name)

    def start(self) -> None:
        """Start, and wait until it answers. Raises AssertionError with its own words."""
        options = {
            "port": self.port, "listen_addresses": "127.0.0.1", "unix_socket_directories": "",
            "fsync": "on" if self._fsync else "off", "max_connections": 50,
            "autovacuum_naptime": "10min", "shared_buffers": "64MB",
        }  # fmt: skip
        command = [str(binaries() / "postgres"), "-D", str(self._data)]
        command += [f"--{name}={value}" for name, value in options.items()]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, user=_system_user(), cwd="/", env=_environment()
            )
        self._wait_until_ready()

    def stop(self) -> None:
        """Stop at once, in order; kill it if it does not."""
        if self._process is not None and self._process.poll() is None:
            self.resume()  # A test may have failed while it stood still.
            self._process.send_signal(signal.SIGQUIT)
            try:
                self._process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self.kill()

    def kill(self) -> None:
        """Kill it with all its backends, as the machine's death would."""
        for pid in [self.pid, *self.backends()]:
            _signal(pid, signal.SIGKILL)
        assert self._process is not None
        self._process.wait(STOP_TIMEOUT_S)

    def demote(self) -> None:
        """Start it again as a standby: it answers reads, of what there is, and takes no writes."""
        self.stop()
        self._standby.touch()
        self.start()

    def promote(self) -> None:
        """Start it again as the primary that it was."""
        self.stop()
        self._standby.unlink()
        self.start()

    def pause(self) -> None:
        """Stop all its processes where they are, until `resume`."""
        for pid in [self.pid, *self.backends()]:
            _signal(pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Let them go on."""
        for pid in [self.pid, *self.backends()]:
            _signal(pid, signal.SIGCONT)

    def backends(self) -> list[int]:
        """The pids of the postmaster's children."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
        return [int(pid) for pid in children.split()]

    def cpu_s(self) -> float:
        """User and system time of all its processes so far, of those that ended, too."""
        ticks = 0
        for pid in [self.pid, *self.backends()]:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += sum(map(int, fields[11 : 15 if pid == self.pid else 13]))
        return ticks / os.sysconf("SC_CLK_TCK")

    def _initdb(self, data: Path) -> None:
        user = _system_user()
        if user is not None:
            shutil.chown(data, user)
        password = data / "password"
        password.write_text(PASSWORD)
        command = [
            str(binaries() / "initdb"), "-D", str(self._data), "-U", _USER, "-E", "UTF8",
            "--locale=C.UTF-8", "--auth=scram-sha-256", f"--pwfile={password}", "--no-sync",
        ]  # fmt: skip
        made = subprocess.run(
            command, check=False, capture_output=True, text=True, user=user, cwd="/",
            env=_environment(),
        )  # fmt: skip
        assert made.returncode == 0, made.stderr
        password.unlink()

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        command = [str(binaries() / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port)]
        while subprocess.run(command, check=False).returncode:
            assert self._process is not None
            ended = self._process.poll() is not None or time.monotonic() > deadline
            assert not ended, self._log.read_text()
            time.sleep(0.02)


@contextmanager
def postgres_server(*, fsync: bool = False) -> Iterator[PostgresServer]:
    """A running server in a directory of its own, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="webchat-pg-") as data:
        Path(data).chmod(0o755)
        server = PostgresServer(Path(data), fsync=fsync)
        try:
            server.start()
            yield server
        finally:
            server.stop()


@functools.cache
def shared_server() -> PostgresServer:
    """One server for all tests that do it no harm, ended with them."""
    return UNTIL_THE_RUN_ENDS.enter_context(postgres_server())


def _run(program: str, *options: str) -> None:
    environment = {**_environment(), "PGPASSWORD": PASSWORD}
    command = [str(binaries() / program), *options]
    ran = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    assert ran.returncode == 0, ran.stderr


def _system_user() -> str | None:
    """Who runs the server; None: whoever runs this."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres").pw_name
    except KeyError:
        raise FileNotFoundError(
            "the user postgres; on Debian: apt-get install postgresql"
        ) from None


def _environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C.UTF-8"}


def _signal(pid: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)

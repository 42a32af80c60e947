"""A real engine that speaks DynamoDB's API, for tests: on a free port, stopped by its pid.

`dynalite` unless WEBCHAT_DYNAMODB_ENGINE names another (`dynoxide`, found on the PATH).
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import tempfile
from contextlib import closing
from functools import cache
from http.client import HTTPConnection
from pathlib import Path
from typing import Final

from tests.engines.engine import UNTIL_THE_RUN_ENDS, Engine

CREDENTIALS: Final = {"AWS_ACCESS_KEY_ID": "webchat", "AWS_SECRET_ACCESS_KEY": "webchat"}
"""Any do; who starts an engine has them from then on, where none were set."""
_DYNALITE: Final = Path(__file__).parent / "dynalite/node_modules/dynalite/cli.js"


class DynamoServer(Engine):
    """A running engine that keeps its tables in `data`; they outlive `kill` and `start`."""

    def __init__(self, data: Path, name: str = "") -> None:
        super().__init__(name or os.environ.get("WEBCHAT_DYNAMODB_ENGINE", "dynalite"))
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self._data = data
        have_credentials()
        self.start()

    def new_table(self) -> str:
        """A name that no table has yet."""
        return f"webchat-{secrets.token_hex(6)}"

    @property
    def log(self) -> Path:
        """Where its own words are."""
        return self._data / "engine.log"

    def _spawn(self) -> subprocess.Popen[bytes]:
        self._data.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            return subprocess.Popen(self._command(), stdout=log, stderr=log)

    def _ask(self) -> None:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=self.ready_within_s)
        with closing(connection):
            connection.request("GET", "/")
            connection.getresponse()

    def _command(self) -> list[str]:
        port = str(self.port)
        if self.name == "dynoxide":
            path = str(self._data / "tables.db")
            return [_found("dynoxide"), "serve", "--port", port, "--db-path", path]
        assert _DYNALITE.exists(), "dynalite is not installed: run `make setup`"
        path = str(self._data / "level")
        states = ["--createTableMs", "0", "--deleteTableMs", "0"]
        return [_found("node"), str(_DYNALITE), "--port", port, "--path", path, *states]


def have_credentials() -> None:
    """Have CREDENTIALS from now on, where none were set."""
    for variable, value in CREDENTIALS.items():
        os.environ.setdefault(variable, value)


@cache
def shared_server() -> DynamoServer:
    """One engine for all tests of this process, ended with them."""
    data = tempfile.TemporaryDirectory(prefix="webchat-dynamodb-", ignore_cleanup_errors=True)
    folder = UNTIL_THE_RUN_ENDS.enter_context(data)
    return UNTIL_THE_RUN_ENDS.enter_context(DynamoServer(Path(folder)))


def _found(program: str) -> str:
    path = shutil.which(program)
    assert path is not None, f"{program} is not on the PATH"
    return path

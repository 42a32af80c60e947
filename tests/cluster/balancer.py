"""The balancer of deploy/haproxy.cfg as a process, over nodes on loopback."""

from __future__ import annotations

import os
import ssl
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from shutil import which
from typing import IO

import httpx

from tests import http
from tests.ports import free_port
from tests.servers import LogLine

CONFIGURATION = Path(__file__).parents[2] / "deploy" / "haproxy.cfg"
START_TIMEOUT_S = 10.0


class Balancer:
    """haproxy on a free port; it must not outlive a test.

    The file's own two nodes are the first two ports; more are added as it says one would, and
    `tls`, a file with a certificate of 127.0.0.1 and its key. `trust`: what its clients need then.
    """

    def __init__(self, directory: Path, node_ports: Sequence[int], tls: Path | None = None) -> None:
        first, second, *more = node_ports
        configuration = directory / "haproxy.cfg"
        text = CONFIGURATION.read_text(encoding="utf-8")
        text += "".join(f'  server extra{port} "127.0.0.1:{port}"\n' for port in more)
        if tls is not None:
            text = text.replace('"${WEBCHAT_BIND}"\n', f'"${{WEBCHAT_BIND}}" ssl crt {tls}\n')
        configuration.write_text(text)
        self.trust = http.NO_TLS if tls is None else ssl.create_default_context(cafile=tls)
        self.port = free_port()
        self.url = f"{'http' if tls is None else 'https'}://127.0.0.1:{self.port}"
        self._said = directory / "haproxy.log"
        with self._said.open("w") as said:
            self._process = self._start(configuration, said, first, second)
        self._wait_until_it_serves()

    @property
    def log(self) -> list[LogLine]:
        """What it has said: of nodes that went down or came up, mostly."""
        return [{"balancer": line} for line in self._said.read_text().splitlines()]

    def stop(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(10)

    def _start(
        self, configuration: Path, said: IO[str], first: int, second: int
    ) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [_haproxy(), "-db", "-f", str(configuration)],
            env={
                **os.environ,
                "WEBCHAT_BIND": f"127.0.0.1:{self.port}",
                "WEBCHAT_NODE_A": f"127.0.0.1:{first}",
                "WEBCHAT_NODE_B": f"127.0.0.1:{second}",
            },
            stdout=subprocess.DEVNULL,
            stderr=said,
        )

    def _wait_until_it_serves(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                if httpx.get(f"{self.url}/healthz", verify=self.trust).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            if time.monotonic() > deadline:
                self.stop()
                raise AssertionError(f"the balancer does not serve: {self._said.read_text()}")
            time.sleep(0.02)


def _haproxy() -> str:
    found = which("haproxy", path=f"{os.environ['PATH']}:/usr/sbin")
    assert found is not None, "haproxy is missing: `make setup` installs it"
    return found

"""The topology of deploy/compose.yaml as processes: nodes, Redis, a store's engine, a balancer."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Final, Protocol

from tests.cluster.balancer import Balancer
from tests.ports import free_port
from tests.servers import LogLine, Server

START_WITHIN_S: Final = 30.0


class Part(Protocol):
    """A process that can be killed, be paused, and be started again where it was."""

    def kill(self) -> None: ...
    def start(self) -> None: ...
    def pause(self) -> None: ...
    def resume(self) -> None: ...


class Node:
    """One `webchat serve`, always on the same port."""

    def __init__(self, name: str, data: Path, options: Sequence[str]) -> None:
        self.name = name
        self.port = free_port()
        self._data = data
        self._options = (*options, f"--peer-port={free_port()}")
        self._changing = threading.Lock()
        self.start()

    @property
    def url(self) -> str:
        """Where it serves."""
        return self.server.url

    def start(self) -> None:
        """Start it, as a supervisor does: again and again, until all it stands on is there."""
        with self._changing:
            self._start()

    def _start(self) -> None:
        deadline = time.monotonic() + START_WITHIN_S
        while True:
            try:
                self.server = Server(self._data, *self._options, port=self.port)
            except AssertionError:
                if time.monotonic() > deadline:
                    raise
            else:
                return

    def end(self) -> None:
        """Stop for good, also while it is being started in a thread, or stands still."""
        with self._changing:
            if self.server.process.poll() is None:
                self.resume()
                self.drain()

    def kill(self) -> None:
        """SIGKILL."""
        self.server.kill()

    def drain(self) -> int:
        """SIGTERM, and wait for its exit."""
        return self.server.stop()

    def pause(self) -> None:
        """SIGSTOP."""
        self.server.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        self.server.process.send_signal(signal.SIGCONT)


class Cluster:
    """Nodes behind a balancer; a context. `url`: the balancer's. `first`: of node 0 alone."""

    def __init__(
        self,
        directory: Path,
        options: Sequence[str],
        nodes: int = 3,
        *,
        first: Sequence[str] = (),
    ) -> None:
        self._ending = ExitStack()
        self.nodes: list[Node] = []
        try:
            for number in range(nodes):
                data = directory / f"node{number}"
                data.mkdir(parents=True)
                own = first if number == 0 else ()
                self.nodes.append(Node(f"node {number}", data, (*options, *own)))
                self._ending.callback(self.nodes[-1].end)
            self.balancer = Balancer(directory, [node.port for node in self.nodes])
            self._ending.callback(self.balancer.stop)
        except BaseException:
            self._ending.close()
            raise
        self.url = self.balancer.url

    @property
    def log(self) -> list[LogLine]:
        """What the nodes that run now have logged, then the balancer."""
        return [line for node in self.nodes for line in node.server.log] + self.balancer.log

    def __enter__(self) -> Cluster:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ending.close()

"""Several nodes on one port: a parent that forks them, starts them anew and ends with them.

It runs no loop and no thread, so it can fork at any time. Each worker listens on the shared port by
itself (SO_REUSEPORT), so the kernel gives one that died no more connections.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, NoReturn

import structlog

from webchat import __version__
from webchat.app.open_files import warn_of_few_files
from webchat.app.signals import Signals
from webchat.app.sockets import reserved
from webchat.config import Settings
from webchat.config.places import advertised, url_of

_PAUSES_S: Final = (0.1, 0.5, 2.0, 5.0)
"""Before a worker that died is started again; the more often in a row, the longer."""
_SOUND_AFTER_S: Final = 30.0
"""A worker that served for so long did not die of its start."""
_KILL_AFTER_S: Final = 5.0
_TELL_AGAIN_S: Final = 0.5
_READY: Final = b"1"
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Lifeline:
    """What ties a worker to its parent. `parent`: a file that can be read once the parent is gone;
    `ready`: a file to be written to once the worker serves."""

    parent: int
    ready: int

    def tell_ready(self) -> None:
        """It serves."""
        os.write(self.ready, _READY)
        os.close(self.ready)


Serve = Callable[[Settings, Lifeline], int]
"""Serves as a worker until it is asked to end or its parent is gone; returns the exit code."""


@dataclass(slots=True)
class _Worker:
    """A place in the row. `pid` 0: nobody is there, and somebody is to be from `due_s` on.

    `ready`: the file that it writes to once it serves, -1 afterwards. `deaths`: in a row.
    """

    settings: Settings
    pid: int = 0
    ready: int = -1
    started_s: float = 0.0
    due_s: float = 0.0
    deaths: int = 0


class Workers:
    """The parent of `settings.workers` nodes."""

    def __init__(self, settings: Settings, serve: Serve) -> None:
        self._settings = settings
        self._serve = serve
        self._workers: Sequence[_Worker] = ()
        self._alive = os.pipe()

    def run(self) -> int:
        """Serve until asked to end; returns the exit code, that of a worker that cannot start.

        Raises NodeRefused for what cannot be listened on, or not yet.
        """
        with reserved(self._settings) as settings, Signals() as signals:
            self._workers = [_Worker(_own(settings, number)) for number in range(settings.workers)]
            code = self._start_all(signals)
            if code == 0 and not signals.is_asked_to_end:
                url = url_of(settings.host, settings.port) + "/"
                _log.info("listening", url=url, version=__version__, workers=settings.workers)
                warn_of_few_files(settings.sessions)
                self._keep_up(signals)
            self._end_all(signals)
        return code

    def _start_all(self, signals: Signals) -> int:
        """One after the other, so that what keeps the first from it is said once. 0: they serve."""
        for worker in self._workers:
            self._start(worker, signals)
            while worker.ready >= 0 and not signals.is_asked_to_end:
                signals.wait([worker.ready], None)
                code = self._exit_code(worker)
                if code is not None:
                    return code or 1
                self._hear(worker)
        return 0

    def _keep_up(self, signals: Signals) -> None:
        """Start those anew that die, until the end is asked for."""
        while not signals.is_asked_to_end:
            now_s = time.monotonic()
            for worker in self._workers:
                if worker.pid == 0 and worker.due_s <= now_s:
                    self._start(worker, signals)
            dues = [worker.due_s - now_s for worker in self._workers if worker.pid == 0]
            starting = [worker.ready for worker in self._workers if worker.ready >= 0]
            signals.wait(starting, max(0.0, min(dues)) if dues else None)
            for worker in self._workers:
                self._look_after(worker)

    def _look_after(self, worker: _Worker) -> None:
        if worker.pid == 0:
            return
        pid, code = worker.pid, self._exit_code(worker)
        if code is None:
            self._hear(worker)
            return
        now_s = time.monotonic()
        worker.deaths = 1 if now_s - worker.started_s > _SOUND_AFTER_S else worker.deaths + 1
        pause_s = _PAUSES_S[min(worker.deaths, len(_PAUSES_S)) - 1]
        worker.due_s = now_s + pause_s
        _log.error("a worker died", pid=pid, exit_code=code, again_in_s=pause_s)

    def _end_all(self, signals: Signals) -> None:
        """Let all drain, in a hurry if it is asked for; cut off who takes too long."""
        deadline_s = time.monotonic() + self._settings.drain_s + _KILL_AFTER_S
        while any(worker.pid for worker in self._workers):
            # Again and again: who was just being forked may have missed it.
            if time.monotonic() > deadline_s:
                self._tell(signal.SIGKILL)
            else:
                self._tell(signal.SIGINT if signals.is_hurried else signal.SIGTERM)
            signals.wait([], _TELL_AGAIN_S)
            for worker in self._workers:
                if worker.pid:
                    self._exit_code(worker)

    def _tell(self, number: signal.Signals) -> None:
        for worker in self._workers:
            if worker.pid:
                os.kill(worker.pid, number)

    def _start(self, worker: _Worker, signals: Signals) -> None:
        heard, ready = os.pipe()
        os.set_blocking(heard, False)
        worker.pid = os.fork()
        if worker.pid == 0:
            signals.leave()
            os.close(self._alive[1])
            os.close(heard)
            self._be(worker, Lifeline(self._alive[0], ready))
        os.close(ready)
        worker.ready, worker.started_s = heard, time.monotonic()

    def _be(self, worker: _Worker, lifeline: Lifeline) -> NoReturn:
        """The worker's own process, which must never go back to where it was forked."""
        code = 1
        try:
            code = self._serve(worker.settings, lifeline)
        except BaseException:
            with contextlib.suppress(Exception):
                traceback.print_exc()
        finally:
            with contextlib.suppress(Exception):
                sys.stderr.flush()
            os._exit(code)

    @staticmethod
    def _hear(worker: _Worker) -> None:
        """Note that it serves, if it has said so."""
        with contextlib.suppress(BlockingIOError):
            if worker.ready >= 0 and os.read(worker.ready, 1):
                os.close(worker.ready)
                worker.ready = -1

    @staticmethod
    def _exit_code(worker: _Worker) -> int | None:
        """That of a worker which has ended, and is forgotten then; None: it lives."""
        pid, status = os.waitpid(worker.pid, os.WNOHANG)
        if pid == 0:
            return None
        worker.pid = 0
        if worker.ready >= 0:
            os.close(worker.ready)
            worker.ready = -1
        return os.waitstatus_to_exitcode(status)


def _own(settings: Settings, number: int) -> Settings:
    """The settings of one worker: its own name, port for other nodes, and URL."""
    url = settings.advertise
    if url:
        host, port = advertised(url)
        url = url if port is None else url_of(host, port + number)
    return replace(
        settings,
        node_id=settings.node_id and f"{settings.node_id}-{number}",
        peer_port=settings.peer_port and settings.peer_port + number,
        advertise=url,
    )

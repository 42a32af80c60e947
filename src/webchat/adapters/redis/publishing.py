"""One publish on its way: the replies it still waits for, and who is told the outcome."""

from __future__ import annotations

import hiredis

from webchat.adapters.redis.link import Link, Reply
from webchat.adapters.redis.stats import BusStats
from webchat.errors import Code, WebchatError
from webchat.ports.bus import PublishDone


class Publish:
    """A publish on `left` topics, of which this node itself hears `own`."""

    __slots__ = ("_done", "_failure", "_heard", "_left", "_link", "_stats")

    def __init__(
        self, link: Link, left: int, own: int, done: PublishDone | None, stats: BusStats
    ) -> None:
        self._link = link
        self._left = left
        self._heard = -own
        self._done = done
        self._stats = stats
        self._failure: WebchatError | None = None

    def answered(self, reply: Reply) -> None:
        """Take one topic's reply; with the last one, tell the outcome.

        A Redis that refuses a publish is as good as none: the link is dropped, and repair follows.
        """
        if type(reply) is int:
            self._heard += reply
        else:
            self._failure = unavailable(str(reply))
        self._left -= 1
        if not self._left:
            self._tell()
        if isinstance(reply, hiredis.ReplyError):
            self._link.drop(f"Redis refuses to publish ({reply})")

    def _tell(self) -> None:
        if self._failure is None:
            self._stats.published += 1
        else:
            self._stats.failed += 1
        if self._done is not None:
            self._done(max(self._heard, 0) if self._failure is None else self._failure)


def unavailable(why: str) -> WebchatError:
    """What publishes and subscriptions fail with; `why` has no end mark."""
    return WebchatError(Code.UNAVAILABLE, f"the bus does not serve: {why}")

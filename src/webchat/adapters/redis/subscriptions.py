"""The topics that a node holds, whether Redis has confirmed them, and who waits for that."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from functools import partial

import hiredis

from webchat.adapters.redis.link import Link, LinkLost, Reply, pack


class Subscriptions:
    """Topics stay held over outages; `restore` brings them onto a new link."""

    def __init__(self, channel_prefix: str, batch: int) -> None:
        self._channel_prefix = channel_prefix
        self._batch = batch
        self._held: set[str] = set()
        self._asked: set[str] = set()
        self._leaving: Counter[str] = Counter()
        self._confirming: dict[str, asyncio.Future[bool]] = {}
        self._link: Link | None = None

    def __contains__(self, topic: str) -> bool:
        """Whether the topic is held."""
        return topic in self._held

    def count_live(self, topics: Sequence[str]) -> int:
        """Of how many Redis was asked on the link of now, and has not let go of them."""
        live = 0
        for topic in topics:
            if topic in self._asked or topic in self._leaving:
                live += 1
        return live

    def hold(self, topic: str) -> None:
        """The topic is wanted; `confirm` or `restore` subscribe it."""
        self._held.add(topic)

    async def confirm(self, topic: str) -> bool:
        """Hold the topic and wait until Redis passes it on. False: the link was lost before."""
        self._held.add(topic)
        if topic not in self._asked:
            self._confirming[topic] = self._ask([topic])
        confirming = self._confirming.get(topic)
        return confirming is None or await asyncio.shield(confirming)

    def drop(self, topic: str) -> None:
        """The topic is wanted no more; harmless if it was not."""
        self._held.discard(topic)
        if topic in self._asked and self._link is not None:
            self._asked.discard(topic)
            self._confirming.pop(topic, None)
            self._leaving[topic] += 1
            unsubscribe = pack(("UNSUBSCRIBE", self._channel_prefix + topic))
            self._link.send(unsubscribe, partial(self._left, topic))

    def forget_link(self) -> None:
        """The link is lost: nothing is confirmed any more."""
        self._link = None
        self._asked.clear()
        self._leaving.clear()
        self._confirming.clear()

    async def restore(self, link: Link) -> None:
        """Subscribe all that is held, and is added meanwhile, on a new link. Raises LinkLost."""
        self.forget_link()
        self._link = link
        while missing := list(self._held - self._asked):
            for start in range(0, len(missing), self._batch):
                part = [topic for topic in missing[start : start + self._batch] if topic in self]
                if part and not await self._ask(part):
                    raise LinkLost("Redis was lost again while topics were subscribed")

    def _ask(self, topics: Sequence[str]) -> asyncio.Future[bool]:
        """Subscribe them; the result says whether Redis did."""
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        if self._link is None:
            answer.set_result(False)
            return answer
        self._asked.update(topics)
        channels = [self._channel_prefix + topic for topic in topics]
        take = partial(self._answered, self._link, topics[-1], answer, [len(topics)])
        self._link.send(pack(("SUBSCRIBE", *channels)), take, len(topics))
        return answer

    def _answered(
        self, link: Link, last: str, answer: asyncio.Future[bool], left: list[int], reply: Reply
    ) -> None:
        """One confirmation; with the last one the answer is complete."""
        left[0] -= 1
        if isinstance(reply, Exception):
            if not answer.done():
                answer.set_result(False)
            if isinstance(reply, hiredis.ReplyError):
                link.drop(f"Redis refuses to subscribe ({reply})")
        elif not left[0] and not answer.done():
            answer.set_result(True)
            if self._confirming.get(last) is answer:
                del self._confirming[last]

    def _left(self, topic: str, _: Reply) -> None:
        """Nothing more comes of the topic, unless it was asked for again."""
        self._leaving[topic] -= 1
        if self._leaving[topic] <= 0:
            del self._leaving[topic]

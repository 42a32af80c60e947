"""A device as the protocol asks for one: it follows many conversations, writes into some of them,
and outlives every node."""

from __future__ import annotations

import asyncio
import itertools
import secrets
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp

from tests.kill.chatter import Chatter

OUTBOX: Final = 4
"""Messages of one conversation that wait for their acks; the first of them alone is on its way."""
_numbers = itertools.count(1)


@dataclass
class Writing:
    """One conversation's outbox, which goes on after each ack (docs/protocol.md, promise 5).

    `acked`: MsgID to `Seq`; `waiting`: in the order of sending.
    """

    conv: str
    to: str
    sent: list[str] = field(default_factory=list)
    acked: dict[str, int] = field(default_factory=dict)
    waiting: deque[str] = field(default_factory=deque)


class Device(Chatter):
    """One device of a user. `seen`: the entries of each conversation, in order, `Seq` from 1.

    `sent_at`, `heard_at`: when each MsgID was first sent, and when it came or was acked here, by
    this process's clock. `changed` is set whenever something of this happened.
    """

    def __init__(
        self,
        http: aiohttp.ClientSession,
        url: str,
        uid: str,
        token: str,
        convs: list[str],
        *,
        changed: asyncio.Event,
        silence_s: float,
    ) -> None:
        super().__init__(http, url, uid, token)
        self.silence_s = silence_s
        self._changed = changed
        self.seen: dict[str, list[str]] = {conv: [] for conv in convs}
        self.sent_at: dict[str, float] = {}
        self.heard_at: dict[str, float] = {}
        self.copies = 0
        self.resent = 0
        self.refused: dict[str, int] = {}
        self.live = False
        self._name = secrets.token_hex(4)
        self._sending = asyncio.Lock()
        self._writing: dict[str, Writing] = {}
        self._by_id: dict[str, Writing] = {}
        self._ws: aiohttp.ClientWebSocketResponse | None = None

    def writings(self) -> list[Writing]:
        """What it has sent so far."""
        return list(self._writing.values())

    @property
    def waits(self) -> int:
        """How many of its messages have no ack yet."""
        return sum(len(writing.waiting) for writing in self._writing.values())

    async def write(self, conv: str, to: str) -> str | None:
        """Send one more message, or put it off until it can be sent; None: the outbox is full."""
        writing = self._writing.setdefault(conv, Writing(conv, to))
        async with self._sending:
            return await self._write(writing)

    async def _write(self, writing: Writing) -> str | None:
        if len(writing.waiting) >= OUTBOX:
            return None
        msg_id = f"{self.uid}.{self._name}.{next(_numbers)}"
        writing.sent.append(msg_id)
        self.sent_at[msg_id] = time.monotonic()
        writing.waiting.append(msg_id)
        self._by_id[msg_id] = writing
        if self.live and self._ws is not None and len(writing.waiting) == 1:
            with suppress(ConnectionError):  # It is sent again on the next connection.
                await self._send(self._ws, writing)
        return msg_id

    async def _live(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        try:
            await super()._live(ws)
        finally:
            self.live = False

    def _joining(self) -> dict[str, Any]:
        return {
            "device": self._name,
            "cursors": {conv: len(seen) for conv, seen in self.seen.items()},
        }

    async def _joined(self, ws: aiohttp.ClientWebSocketResponse) -> None:
        async with self._sending:
            self._ws, self.live = ws, True
            self._changed.set()
            for writing in self._writing.values():
                self.resent += len(writing.waiting) > 0
                await self._send(ws, writing)

    async def _acked(self, ws: aiohttp.ClientWebSocketResponse, ack: dict[str, Any]) -> None:
        if "MsgID" not in ack:  # of a sync
            return
        writing = self._by_id[ack["MsgID"]]
        if not ack["ok"]:
            # Nothing is known to be stored: it is sent again.
            code = ack["error"]["code"]
            self.refused[code] = self.refused.get(code, 0) + 1
            assert code == "unavailable", ack
            await ws.close()
            return
        assert writing.waiting, f"acked again: {ack}, {self.connections} connections"
        assert ack["MsgID"] == writing.waiting[0], (ack, writing, self.connections)
        writing.acked[writing.waiting.popleft()] = ack["Seq"]
        self._changed.set()
        self._take(ack["ConvID"], ack["Seq"], ack["MsgID"])
        await self._send(ws, writing)

    def _heard(self, event: str, data: dict[str, Any]) -> None:
        if event == "error":
            return
        conv, kind = data.get("ConvID", ""), data["EvtType"]
        if conv not in self.seen or "Seq" not in data or kind in ("receipts", "position"):
            return
        assert kind != "skip" or data["Seq"] <= len(self.seen[conv]), data
        if kind not in ("delivery", "display"):
            self._take(conv, data["Seq"], data.get("MsgID", ""))

    def _take(self, conv: str, seq: int, msg_id: str) -> None:
        seen = self.seen[conv]
        if seq <= len(seen):
            assert seen[seq - 1] == msg_id, f"{conv} {seq} was {seen[seq - 1]}, is {msg_id}"
            self.copies += 1
            return
        assert seq == len(seen) + 1, f"{self.uid} {conv}: {seq} came after {len(seen)}"
        seen.append(msg_id)
        self.heard_at.setdefault(msg_id, time.monotonic())
        self._changed.set()

    async def _send(self, ws: aiohttp.ClientWebSocketResponse, writing: Writing) -> None:
        """Send the first that waits, if any does."""
        if not writing.waiting:
            return
        msg_id = writing.waiting[0]
        is_group = writing.conv.startswith("group_")
        envelope = {
            "EvtType": "message",
            "From": writing.to if is_group else self.uid,
            "Originated": self.uid if is_group else "",
            "To": writing.to,
            "MsgID": msg_id, "Timestamp": 0, "Body": f"body of {msg_id}",
        }  # fmt: skip
        await self._emit(ws, 1, "chat", envelope)

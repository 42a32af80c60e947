"""Who was added or came in of late, on whichever node (open mode, `GET /getall`).

Nodes tell each other of the newest, whole each time; one that starts, or has its bus back, asks.
"""

from __future__ import annotations

from typing import Final

import msgspec

from webchat.chat.tools import Tools
from webchat.chat.topics import NODES, RECENT
from webchat.model import Uid
from webchat.ports.clock import Timer
from webchat.service.profiles import Profiles

_INTERVAL_S: Final = 0.25
"""Between two tellings, whoever comes in meanwhile."""
_ASK: Final = b"[]"
_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(list[tuple[Uid, int]]).decode


class Recents:
    """Does nothing where nobody asks for them, in secured mode."""

    def __init__(self, profiles: Profiles, tools: Tools) -> None:
        self._profiles = profiles
        self._bus = tools.bus
        self._clock = tools.clock
        self._is_on = tools.open_mode
        self._pause: Timer | None = None
        self._is_more = False
        if self._is_on:
            profiles.noted = self._tell

    def ask(self) -> None:
        """What others know was not heard here, and the other way round."""
        if self._is_on and not self._bus.is_alone:
            self._bus.publish((NODES,), RECENT + _ASK)
            self._tell()

    def heard(self, payload: bytes) -> None:
        """Another node tells of the newest, or asks. Raises msgspec.DecodeError."""
        rows = _decode(payload)
        if not self._is_on:
            return
        if rows:
            self._profiles.heard_recent(rows)
        else:
            self._tell()

    def _tell(self) -> None:
        if self._pause is not None:
            self._is_more = True
            return
        newest = self._profiles.newest()
        if newest and not self._bus.is_alone:
            self._bus.publish((NODES,), RECENT + _encode(newest))
            self._pause = self._clock.call_later(_INTERVAL_S, self._go_on)

    def _go_on(self) -> None:
        self._pause = None
        if self._is_more:
            self._is_more = False
            self._tell()

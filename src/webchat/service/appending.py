"""What services that change groups need of the chat: an append that everybody hears of."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from webchat.model import ConvID
from webchat.ports.log import Append, Appended

Decide = Callable[[], Awaitable[Append]]
"""Load and decide: what is to be appended as things stand now. Raises WebchatError."""


class Appends(Protocol):
    """Appends for whoever has no connection at hand, a REST request for one."""

    async def decided(self, conv: ConvID, decide: Decide) -> Appended:
        """Decide and append to `conv`, one after the other, again where members changed in between;
        durable, published and passed on to devices on return. Raises what `decide` raises, and
        UNAVAILABLE."""

    def tell_again(self, convs: Sequence[ConvID]) -> None:
        """What is asked for is so already, perhaps since it was asked for before and not answered:
        soon whoever follows these logs is told up to where they go."""

"""What one connection sent while something it had sent before is being looked up."""

from __future__ import annotations

from collections import deque
from sys import getsizeof

from webchat.protocol.socketio import Event


class Gate:
    """Events that wait, in the order they came: so many, and so much memory, at most."""

    __slots__ = ("_bytes", "_events", "_most_bytes", "_most_events")

    def __init__(self, most_events: int, most_bytes: int) -> None:
        self._events: deque[Event] = deque()
        self._bytes = 0
        self._most_events = most_events
        self._most_bytes = most_bytes

    def __len__(self) -> int:
        return len(self._events)

    def put(self, event: Event) -> bool:
        """Whether there is room for `event`, which waits then."""
        self._bytes += _weight(event)
        if len(self._events) >= self._most_events or self._bytes > self._most_bytes:
            self._bytes -= _weight(event)
            return False
        self._events.append(event)
        return True

    def next(self) -> Event:
        """The first that waits, which waits no longer."""
        event = self._events.popleft()
        self._bytes -= _weight(event)
        return event

    def clear(self) -> None:
        """None waits any more."""
        self._events.clear()
        self._bytes = 0


def _weight(event: Event) -> int:
    """The memory it takes: a text of which one character is far from ASCII takes four times what
    came."""
    return getsizeof(event.data) + sum(map(len, event.attachments))

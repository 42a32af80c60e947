"""What one connection sent while something it had sent before is being looked up."""

from __future__ import annotations

from collections import deque
from sys import getsizeof

from webchat.chat.rates import USERS_CONNECTIONS
from webchat.model import Uid
from webchat.protocol.socketio import Event


class Gates:
    """What those of all connections have in common: how many events, and how much memory, may wait
    at each at most; `by_user`: and at those of a user together."""

    __slots__ = ("_by_user", "_bytes", "most_bytes", "most_events")

    def __init__(self, most_events: int, most_bytes: int, *, by_user: bool) -> None:
        self.most_events = most_events
        self.most_bytes = most_bytes
        self._by_user = by_user
        self._bytes: dict[Uid, int] = {}

    def has_room(self, uid: Uid | None, weight: int) -> bool:
        """Whether so much more may wait for that user's connections."""
        waiting = 0 if uid is None else self._bytes.get(uid, 0)
        return waiting + weight <= USERS_CONNECTIONS * self.most_bytes

    def note(self, uid: Uid | None, weight: int) -> None:
        """So much more waits, or less."""
        if uid is None or not self._by_user:
            return
        self._bytes[uid] = self._bytes.get(uid, 0) + weight
        if not self._bytes[uid]:
            del self._bytes[uid]


class Gate:
    """Events of one connection that wait, in the order they came."""

    __slots__ = ("_bytes", "_events", "_gates", "_uid")

    def __init__(self, gates: Gates, uid: Uid | None) -> None:
        self._events: deque[Event] = deque()
        self._bytes = 0
        self._gates = gates
        self._uid = uid

    def __len__(self) -> int:
        return len(self._events)

    def put(self, event: Event) -> bool:
        """Whether there is room for `event`, which waits then."""
        gates, weight = self._gates, _weight(event)
        if len(self._events) >= gates.most_events or self._bytes + weight > gates.most_bytes:
            return False
        if not gates.has_room(self._uid, weight):
            return False
        self._events.append(event)
        self._note(weight)
        return True

    def next(self) -> Event:
        """The first that waits, which waits no longer."""
        event = self._events.popleft()
        self._note(-_weight(event))
        return event

    def clear(self) -> None:
        """None waits any more."""
        self._events.clear()
        self._note(-self._bytes)

    def _note(self, weight: int) -> None:
        self._bytes += weight
        self._gates.note(self._uid, weight)


def _weight(event: Event) -> int:
    """The memory it takes: a text of which one character is far from ASCII takes four times what
    came."""
    return getsizeof(event.data) + sum(map(len, event.attachments))

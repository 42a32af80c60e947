"""A dictionary that, when told, forgets what was used longest ago."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Recent(Generic[K, V]):
    """At most `limit` entries after `trim`; used by one thread."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._values: OrderedDict[K, V] = OrderedDict()

    def get(self, key: K) -> V | None:
        """The value, if it is still remembered."""
        value = self._values.get(key)
        if value is not None:
            self._values.move_to_end(key)
        return value

    def put(self, key: K, value: V) -> None:
        """Remember it."""
        self._values[key] = value
        self._values.move_to_end(key)

    def trim(self) -> None:
        """Forget what is beyond `limit`."""
        while len(self._values) > self._limit:
            self._values.popitem(last=False)

    def values(self) -> Iterable[V]:
        """All values that are remembered."""
        return self._values.values()

    def clear(self) -> None:
        """Forget everything."""
        self._values.clear()

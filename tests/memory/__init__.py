"""Ports in this process's memory, under a test's control: a store, a bus, a clock.

`MemoryStore` is the reference of what the ports of a store promise; it keeps nothing.
"""

from tests.memory.bus import MemoryBus, MemoryHub
from tests.memory.clock import ManualClock, settle
from tests.memory.store import MemoryStore

__all__ = ["ManualClock", "MemoryBus", "MemoryHub", "MemoryStore", "settle"]

"""Everything in this process's memory: the in-process bus, cache and limits, and stores for tests.

`MemoryStore` is the reference of what the ports of a store promise; it keeps nothing.
"""

from webchat.adapters.memory.bus import MemoryBus, MemoryHub
from webchat.adapters.memory.cache import MemoryProfileCache
from webchat.adapters.memory.clock import LoopClock, ManualClock
from webchat.adapters.memory.limits import MemoryLimits
from webchat.adapters.memory.store import MemoryStore

__all__ = [
    "LoopClock",
    "ManualClock",
    "MemoryBus",
    "MemoryHub",
    "MemoryLimits",
    "MemoryProfileCache",
    "MemoryStore",
]

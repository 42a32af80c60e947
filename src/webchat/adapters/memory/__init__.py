"""What a process needs of no vendor: its own clock, and the bus, cache and limits of a lone node.

bus     A bus without other nodes
cache   A bounded cache of profiles
clock   The event loop's timers, the system's time
limits  Rates that this process counts alone
"""

from webchat.adapters.memory.bus import LoneBus
from webchat.adapters.memory.cache import MemoryProfileCache
from webchat.adapters.memory.clock import LoopClock
from webchat.adapters.memory.limits import MemoryLimits

__all__ = ["LoneBus", "LoopClock", "MemoryLimits", "MemoryProfileCache"]

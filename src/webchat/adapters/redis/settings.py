"""What can be set about the bus, the profile cache and the limits on Redis."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RedisBusSettings:
    """Names, times and bounds of a node's bus; the defaults suit a Redis in the same data centre.

    `channel_prefix`: what channels' names begin with, so that installations can share a Redis; the
    number of a database other than 0 comes after it.
    `connect_timeout_ms`: for one attempt to connect, whatever it consists of. `ack_timeout_ms`:
    within it Redis answers a command, or the bus is lost. `ping_interval_ms`: how often each
    connection is tried. `reconnect_min_ms`, `reconnect_max_ms`: how long the pauses between
    attempts are, doubled each time, less a random part. `max_unanswered_bytes`: what may wait
    until Redis has answered; beyond, the bus is lost. `subscribe_batch`: channels that one command
    subscribes when the bus comes back. `check_interval_s`: how often Redis is asked whether it is
    fit.
    `logs_why`: whether the log says why it does not come back; of several buses to one Redis, one
    is enough.
    """

    channel_prefix: str = "webchat:bus:"
    connect_timeout_ms: int = 3_000
    ack_timeout_ms: int = 500
    ping_interval_ms: int = 1_000
    reconnect_min_ms: int = 50
    reconnect_max_ms: int = 1_000
    max_unanswered_bytes: int = 256 * 1024 * 1024
    subscribe_batch: int = 1_000
    check_interval_s: float = 15.0
    logs_why: bool = True


@dataclass(frozen=True, slots=True)
class RedisCacheSettings:
    """Bounds of a profile cache.

    `key_prefix`: what keys begin with. `ttl_s`: how long Redis remembers a profile, and so the
    longest time for which one can be out of date whatever dies. `local_profiles`, `local_ttl_s`:
    how many this process has at hand, and for how long; `outage_ttl_s`: the same while it cannot
    hear that others changed them. `repay_after_ms`: a change that failed is made up for after it.
    `unnoticed_s`: longer than it takes to notice that Redis was lost, or that another has taken its
    place; what was changed within it is made up for, too. `max_owed`: profiles of which that is
    remembered; what goes beyond ends with `ttl_s`.
    """

    key_prefix: str = "webchat:profile:"
    ttl_s: int = 600
    local_profiles: int = 10_000
    local_ttl_s: float = 60.0
    outage_ttl_s: float = 2.0
    repay_after_ms: int = 1_000
    unnoticed_s: float = 20.0
    max_owed: int = 10_000


@dataclass(frozen=True, slots=True)
class RedisLimitsSettings:
    """Bounds of shared limits.

    `key_prefix`: what keys begin with. `local_keys`: how many keys this process counts when it
    counts alone.
    """

    key_prefix: str = "webchat:limit:"
    local_keys: int = 100_000

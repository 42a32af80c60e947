"""What can be set about a DynamoDB store."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DynamoSettings:
    """Where a DynamoDB store is, and its bounds and times.

    `endpoint`: "" for the region's own; credentials come from the usual AWS variables.
    `inline_bytes`: entries beyond are rolled out of a head, down to `kept_inline_bytes`; each write
    of a head pays for them. `head_bytes`: a head, or what was rolled out together, never grows
    beyond (an item has at most 400 KB). `batch_bytes`: of requests in one write.
    `inline_senders`: positions of senders kept in a head.
    `follow_inline_bytes`: what follows from entries goes into items of its own beyond.
    `keys_kept_ms`: for how long a MsgID is known: a day, and clocks that differ.
    `max_logs`: ends of logs that a node remembers; `max_positions`: positions.
    `attempt_timeout_ms`: of one request, and of its wait for one of so many `connections` before.
    `retry_within_ms`: how long a throttled or failing request is tried again, with pauses of
    `pause_ms` doubled up to `max_pause_ms`.
    `marks_every_ms`, `mark_age_ms`: how often unfinished marks are looked for, and when one counts
    as left behind. `parallel`: requests at once for one act.
    `create_within_ms`: how long `init` waits for the table.
    """

    region: str
    table: str
    endpoint: str = ""
    inline_bytes: int = 2_048
    kept_inline_bytes: int = 512
    head_bytes: int = 350_000
    batch_bytes: int = 128_000
    inline_senders: int = 8
    follow_inline_bytes: int = 16_000
    keys_kept_ms: int = 26 * 3_600_000
    max_logs: int = 50_000
    max_positions: int = 100_000
    attempt_timeout_ms: int = 2_000
    retry_within_ms: int = 5_000
    pause_ms: int = 25
    max_pause_ms: int = 500
    connections: int = 64
    marks_every_ms: int = 1_000
    mark_age_ms: int = 2_000
    parallel: int = 32
    create_within_ms: int = 60_000

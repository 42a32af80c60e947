"""What the chat layer counts: plain numbers, read when somebody asks for metrics."""

from __future__ import annotations


class Stats:
    """Totals since the start. `appended`: entries that connections had appended; `passed_on`:
    entries brought to devices here; `copies`: how many devices they went to; `refused`: events
    answered with an error; `repairs`: gaps read from a log;
    `backlog`: entries sent to devices that were behind; `compared`: heads read to see whether
    something is missing; `failed_publishes`: entries that the bus did not take. `waiting_acks`:
    how many acks wait for the bus at the moment."""

    __slots__ = (
        "appended",
        "backlog",
        "compared",
        "copies",
        "failed_publishes",
        "passed_on",
        "refused",
        "repairs",
        "revoked",
        "waiting_acks",
    )

    def __init__(self) -> None:
        self.appended = 0
        self.passed_on = 0
        self.copies = 0
        self.backlog = 0
        self.refused = 0
        self.repairs = 0
        self.compared = 0
        self.failed_publishes = 0
        self.revoked = 0
        self.waiting_acks = 0

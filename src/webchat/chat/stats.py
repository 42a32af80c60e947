"""What the chat layer counts: plain numbers, read when somebody asks for metrics."""

from __future__ import annotations


class Stats:
    """Totals since the start. `appended`: entries that connections had appended; `passed_on`:
    entries brought to devices here; `copies`: how many devices they went to; `refused`: events
    answered with an error; `repairs`: gaps read from a log;
    `backlog`: entries sent to devices that were behind."""

    __slots__ = (
        "appended",
        "backlog",
        "copies",
        "passed_on",
        "refused",
        "repairs",
        "revoked",
    )

    def __init__(self) -> None:
        self.appended = 0
        self.passed_on = 0
        self.copies = 0
        self.backlog = 0
        self.refused = 0
        self.repairs = 0
        self.revoked = 0

"""Values on their way into the tables and out of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from webchat.model import ConvID, Draft, Entry, seal

MAX_BIGINT: Final = 2**63 - 1
AFTER_ALL: Final = b"\xff"
"""After a prefix: where the UTF-8 texts that begin with it end."""

ENTRY_COLUMNS: Final = "seq, n, at, kind, sender, msg_id, envelope"

Row = Sequence[Any]


def bounded(number: int) -> int:
    """`number` as a bigint can hold it; any `Seq` or count beyond means the same as the largest."""
    return max(-1, min(number, MAX_BIGINT))


def entry_of(conv: ConvID, row: Row) -> Entry:
    """The Entry of a row of ENTRY_COLUMNS."""
    seq, n, at, kind, sender, msg_id, envelope = row
    return seal(Draft(kind, sender, msg_id.decode(), envelope), conv, seq, n, at)

"""Values on their way into the tables and out of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from webchat.model import ConvID, Draft, Entry, Group, seal

MAX_BIGINT: Final = 2**63 - 1
AFTER_ALL: Final = b"\xff"
"""After a prefix: where the UTF-8 texts that begin with it end."""

ENTRY_COLUMNS: Final = "seq, n, at, kind, sender, msg_id, envelope"
GROUP_COLUMNS: Final = """
    log.name, chat_group.name, picture, history_open, announcements, public, closed"""

Row = Sequence[Any]


def bounded(number: int) -> int:
    """`number` as a bigint can hold it; any `Seq` or count beyond means the same as the largest."""
    return max(-1, min(number, MAX_BIGINT))


def entry_of(conv: ConvID, row: Row) -> Entry:
    """The Entry of a row of ENTRY_COLUMNS."""
    seq, n, at, kind, sender, msg_id, envelope = row
    return seal(Draft(kind, sender, msg_id.decode(), envelope), conv, seq, n, at)


def group_of(row: Row) -> Group:
    """The Group of a row of GROUP_COLUMNS."""
    conv, name, picture, *said = row
    return Group(conv, name.decode(), picture.decode(), *said)

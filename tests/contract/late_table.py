"""A table on which a write that timed out happens later than all that came after it."""

from __future__ import annotations

from collections.abc import Callable

from tests.contract.dynamodb_nodes import timed_out
from tests.contract.plain_table import PlainTable
from webchat.adapters.dynamodb.table import ConditionFailed, Expect, Item


class LateTable(PlainTable):
    """The first put of an item that `is_late` names is not answered, and done when `arrive` is
    called."""

    def __init__(self, is_late: Callable[[Item], bool]) -> None:
        super().__init__()
        self._is_late = is_late
        self._late: tuple[Item, Expect] | None = None

    async def put(self, item: Item, expect: Expect) -> None:
        """Write an item whole. Raises ConditionFailed, Failed."""
        if self._late is None and self._is_late(item):
            self._late = dict(item), expect
            raise timed_out()
        await super().put(item, expect)

    async def arrive(self) -> None:
        """What was late is done, if it still can be."""
        assert self._late is not None
        try:
            await super().put(*self._late)
        except ConditionFailed:
            return

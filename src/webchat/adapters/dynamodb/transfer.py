"""Everything the table holds as records, page by page, and back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from webchat.adapters.dynamodb.accounts import DynamoAccounts
from webchat.adapters.dynamodb.reader import LogReader
from webchat.adapters.dynamodb.steady import SteadyTable
from webchat.adapters.dynamodb.writer import LogWriter
from webchat.ports.transfer import Record


class DynamoTransfer:
    """See `ports/transfer.py`."""

    def __init__(
        self, table: SteadyTable, reader: LogReader, writer: LogWriter, accounts: DynamoAccounts
    ) -> None:
        self._table = table

    def records(self) -> AsyncIterator[Record]:
        """All that is kept."""
        raise NotImplementedError

    async def restore(self, records: Sequence[Record]) -> None:
        """Write a page of records."""
        raise NotImplementedError

    async def is_empty(self) -> bool:
        """Whether nothing was ever kept here."""
        raise NotImplementedError

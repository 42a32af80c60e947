"""A table of DynamoDB, or of an engine that speaks its API, over HTTP by aiobotocore."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, suppress
from functools import cache
from http import HTTPStatus
from typing import Any, Final

from aiobotocore.config import AioConfig
from aiobotocore.session import AioSession, get_session
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    HTTPClientError,
)  # fmt: skip
from botocore.loaders import Loader, create_loader

from webchat.adapters.dynamodb.settings import DynamoSettings
from webchat.adapters.dynamodb.table import (
    ConditionFailed,
    Expect,
    Failed,
    Item,
    Key,
    Marked,
    Page,
    Span,
)  # fmt: skip

MARKS: Final = "marks"
"""The sparse index that finds items with a mark."""

_CREATING_POLL_S: Final = 0.1
_TYPE: Final = "application/x-amz-json"
_THROTTLED: Final = frozenset(
    {
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
_CONDITIONS: Final = {
    "any": "",
    "absent": "attribute_not_exists(pk)",
    "is": "ver = :ver",
    "older": "attribute_not_exists(pk) OR ver < :ver",
}
Wire = dict[str, Any]


class Capacity:
    """Units that the engine said it took, if it says so."""

    def __init__(self) -> None:
        self.read = 0.0
        self.write = 0.0

    def count(self, answer: Wire, *, is_write: bool) -> None:
        """Add what one answer says."""
        said = answer.get("ConsumedCapacity") or ()
        for one in [said] if isinstance(said, dict) else said:
            if is_write:
                self.write += one.get("CapacityUnits", 0.0)
            else:
                self.read += one.get("CapacityUnits", 0.0)


class DynamoTable:
    """A `Table`; usable between `open` and `close`. The SDK's own retries are off."""

    def __init__(self, settings: DynamoSettings) -> None:
        self._settings = settings
        self._timeout_s = settings.attempt_timeout_ms / 1000
        self._free = asyncio.Semaphore(settings.connections)
        """The connections: the SDK would wait for one without an end."""
        self._life = AsyncExitStack()
        self._client: Any = None
        self.capacity: Capacity | None = None
        """Set it to have units counted."""

    async def open(self) -> None:
        """Make the client; nothing is sent yet. Raises Failed without credentials."""
        settings = self._settings
        config = AioConfig(
            retries={"total_max_attempts": 1},
            connect_timeout=self._timeout_s,
            read_timeout=self._timeout_s,
            max_pool_connections=settings.connections,
            parameter_validation=False,
        )
        made = _session().create_client(
            "dynamodb",
            region_name=settings.region,
            endpoint_url=settings.endpoint or None,
            config=config,
        )
        try:
            self._client = await self._life.enter_async_context(made)
        except (BotoCoreError, ValueError) as error:
            raise Failed(str(error), may_help=False) from error
        self._client.meta.events.register("before-parse.dynamodb", _refuse_anothers)

    async def close(self) -> None:
        """Let go of the connections."""
        await self._life.aclose()

    @property
    def raw(self) -> Any:
        """The SDK's own client."""
        return self._client

    async def describe(self) -> Wire:
        """What the engine says of the table. Raises Failed, NoSuchTableError."""
        answer = await self._call(self._client.describe_table, {})
        return dict(answer["Table"])

    async def create(self) -> None:
        """Make the table, unless it is there; on demand, with the index of marks. Waits until it
        can be used. Raises Failed."""
        text, number = {"AttributeType": "S"}, {"AttributeType": "N"}
        request = {
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [
                {"AttributeName": "pk", **text},
                {"AttributeName": "sk", **text},
                {"AttributeName": "mark_shard", **text},
                {"AttributeName": "mark_at", **number},
            ],
            "KeySchema": _key_schema("pk", "sk"),
            "GlobalSecondaryIndexes": [
                {
                    "IndexName": MARKS,
                    "KeySchema": _key_schema("mark_shard", "mark_at"),
                    "Projection": {"ProjectionType": "KEYS_ONLY"},
                }
            ],
        }
        with suppress(TableExistsError):
            await self._call(self._client.create_table, request)
        deadline_s = time.monotonic() + self._settings.create_within_ms / 1000
        while not _is_active(await self.describe()):
            if time.monotonic() > deadline_s:
                raise Failed("the table is not ready yet")
            await asyncio.sleep(_CREATING_POLL_S)

    async def get(self, key: Key) -> Item | None:
        """One item."""
        answer = await self._read(
            self._client.get_item, {"Key": _wire_key(key), "ConsistentRead": True}
        )
        return _item(answer["Item"]) if "Item" in answer else None

    async def get_many(self, keys: Sequence[Key]) -> list[Item]:
        """Those of up to 100 keys that are there."""
        asked: list[Wire] = [_wire_key(key) for key in keys]
        found: list[Item] = []
        while asked:
            request = {self._settings.table: {"Keys": asked, "ConsistentRead": True}}
            answer = await self._send(
                self._client.batch_get_item, {"RequestItems": request}, is_write=False
            )
            rows = answer["Responses"].get(self._settings.table, [])
            found += map(_item, rows)
            left = answer.get("UnprocessedKeys", {}).get(self._settings.table, {}).get("Keys", [])
            if left and not rows:
                raise Failed("the table is throttled")
            asked = left
        return found

    async def put(self, item: Item, expect: Expect) -> None:
        """Write an item whole."""
        request = {"Item": _wire_item(item)}
        await self._write(self._client.put_item, request, expect)

    async def put_many(self, items: Sequence[Item]) -> None:
        """Write up to 25 items whole."""
        left: list[Wire] = [{"PutRequest": {"Item": _wire_item(item)}} for item in items]
        while left:
            request = {"RequestItems": {self._settings.table: left}}
            answer = await self._send(self._client.batch_write_item, request, is_write=True)
            still = answer.get("UnprocessedItems", {}).get(self._settings.table, [])
            if len(still) == len(left):
                raise Failed("the table is throttled")
            left = still

    async def delete(self, key: Key, expect: Expect) -> None:
        """Remove an item."""
        await self._write(self._client.delete_item, {"Key": _wire_key(key)}, expect)

    async def query(self, span: Span, limit: int, after: Key | None = None) -> Page:
        """Up to `limit` items of a partition."""
        request = {
            "KeyConditionExpression": "pk = :pk AND sk BETWEEN :low AND :high",
            "ExpressionAttributeValues": {
                ":pk": _wire(span.pk), ":low": _wire(span.low), ":high": _wire(span.high)
            },
            "ScanIndexForward": not span.descending,
            "ConsistentRead": True,
            "Limit": limit,
        }  # fmt: skip
        return _page(await self._read(self._client.query, _going_on(request, after)))

    async def marked(self, shard: str, limit: int) -> list[Marked]:
        """Up to `limit` items with that shard's mark."""
        request = {
            "IndexName": MARKS,
            "KeyConditionExpression": "mark_shard = :shard",
            "ExpressionAttributeValues": {":shard": _wire(shard)},
            "Limit": limit,
        }
        answer = await self._read(self._client.query, request)
        found = map(_item, answer["Items"])
        return [Marked(Key(str(m["pk"]), str(m["sk"])), int(m["mark_at"])) for m in found]

    async def scan(self, limit: int, after: Key | None = None) -> Page:
        """Up to `limit` items of the whole table."""
        request = _going_on({"Limit": limit, "ConsistentRead": True}, after)
        return _page(await self._read(self._client.scan, request))

    async def _read(self, call: Callable[..., Awaitable[Wire]], request: Wire) -> Wire:
        return await self._call(call, request, is_write=False)

    async def _write(
        self, call: Callable[..., Awaitable[Wire]], request: Wire, expect: Expect
    ) -> None:
        condition = _CONDITIONS[expect.kind]
        if condition:
            request["ConditionExpression"] = condition
        if ":ver" in condition:
            request["ExpressionAttributeValues"] = {":ver": _wire(expect.ver)}
        await self._call(call, request)

    async def _call(
        self, call: Callable[..., Awaitable[Wire]], request: Wire, *, is_write: bool = True
    ) -> Wire:
        named = {"TableName": self._settings.table, **request}
        return await self._send(call, named, is_write=is_write)

    async def _send(
        self, call: Callable[..., Awaitable[Wire]], request: Wire, *, is_write: bool
    ) -> Wire:
        if self.capacity is not None:
            request["ReturnConsumedCapacity"] = "TOTAL"
        try:
            async with asyncio.timeout(self._timeout_s) as waiting, self._free:
                waiting.reschedule(None)
                answer = await call(**request)
        except ClientError as error:
            raise _refusal(error) from error
        except (TimeoutError, BotoCoreError, OSError) as error:
            raise _outage(error) from error
        if self.capacity is not None:
            self.capacity.count(answer, is_write=is_write)
        return answer


@cache
def _api() -> Loader:
    """Reads the description of the API; once a process, since it takes a quarter of a second."""
    return create_loader()


def _session() -> AioSession:
    session = get_session()
    session.register_component("data_loader", _api())
    return session


class TableExistsError(Failed):
    """There is a table of that name."""


class NoSuchTableError(Failed):
    """There is no table of that name."""


def _refuse_anothers(response_dict: Wire, **_: object) -> None:
    """Raises Failed if somebody else answers, a proxy say, that all is well. The SDK would read it
    as an item that is not there, or one that is written."""
    said = response_dict["headers"].get("content-type", "")
    if response_dict["status_code"] < HTTPStatus.MULTIPLE_CHOICES and not said.startswith(_TYPE):
        raise Failed(f"what answers is not DynamoDB (it says {said or 'nothing'})")


def _is_active(table: Wire) -> bool:
    indexes = table.get("GlobalSecondaryIndexes", ())
    states = [each.get("IndexStatus", "ACTIVE") for each in indexes]
    return {*states, table["TableStatus"]} == {"ACTIVE"}


def _refusal(error: ClientError) -> Exception:
    """What an error that the engine answered means."""
    code = error.response.get("Error", {}).get("Code", "")
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    message = f"{error.operation_name}: {code} ({error.response.get('Error', {}).get('Message')})"
    if code == "ConditionalCheckFailedException":
        return ConditionFailed()
    if code == "ResourceInUseException":
        return TableExistsError(message, may_help=False)
    if code == "ResourceNotFoundException":
        return NoSuchTableError(message, may_help=False)
    if code in _THROTTLED:
        return Failed(message)
    return Failed(message, may_help=status >= 500)


def _outage(error: Exception) -> Failed:
    """What it means that nothing was answered."""
    network = HTTPClientError | EndpointConnectionError | ConnectTimeoutError | OSError
    said = str(error) or "no connection was free in time"
    return Failed(said, may_help=isinstance(error, network))


def _key_schema(partition: str, order: str) -> list[Wire]:
    return [
        {"AttributeName": partition, "KeyType": "HASH"},
        {"AttributeName": order, "KeyType": "RANGE"},
    ]


def _going_on(request: Wire, after: Key | None) -> Wire:
    return request if after is None else {**request, "ExclusiveStartKey": _wire_key(after)}


def _page(answer: Wire) -> Page:
    last = answer.get("LastEvaluatedKey")
    after = Key(last["pk"]["S"], last["sk"]["S"]) if last else None
    return Page([_item(found) for found in answer["Items"]], after)


def _wire_key(key: Key) -> Wire:
    return {"pk": {"S": key.pk}, "sk": {"S": key.sk}}


def _wire_item(item: Item) -> Wire:
    return {name: _wire(value) for name, value in item.items()}


def _wire(value: str | int | bytes) -> Wire:
    if isinstance(value, str):
        return {"S": value}
    return {"B": value} if isinstance(value, bytes) else {"N": str(value)}


def _item(found: Wire) -> Item:
    return {name: _value(value) for name, value in found.items()}


def _value(value: Wire) -> str | int | bytes:
    ((kind, said),) = value.items()
    if kind == "N":
        return int(said)
    return str(said) if kind == "S" else bytes(said)

"""The settings of a DynamoDB store, and the store."""

from __future__ import annotations

from webchat.adapters.dynamodb import DynamoSettings, DynamoStore
from webchat.config import Settings, dynamo_place
from webchat.ports.clock import Clock


def store(settings: Settings, clock: Clock) -> DynamoStore:
    """For any process."""
    return DynamoStore(store_settings(settings), clock)


def store_settings(settings: Settings) -> DynamoSettings:
    """Where the store is, and its bounds and times."""
    place = dynamo_place(settings.store)
    return DynamoSettings(
        region=place.region,
        table=place.table,
        endpoint=place.endpoint,
        inline_bytes=settings.dynamodb_inline_bytes,
        attempt_timeout_ms=settings.dynamodb_attempt_timeout_ms,
        retry_within_ms=settings.dynamodb_retry_within_ms,
        pause_ms=settings.dynamodb_pause_ms,
        max_pause_ms=settings.dynamodb_max_pause_ms,
        connections=settings.dynamodb_connections,
        marks_every_ms=settings.dynamodb_marks_interval_ms,
        mark_age_ms=settings.dynamodb_mark_age_ms,
    )

"""A store on DynamoDB, or on any engine that speaks its API: `DynamoStore`."""

from webchat.adapters.dynamodb.settings import DynamoSettings
from webchat.adapters.dynamodb.store import DynamoPorts, DynamoStore

__all__ = ["DynamoPorts", "DynamoSettings", "DynamoStore"]

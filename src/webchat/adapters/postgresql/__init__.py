"""A store in a PostgreSQL database: of many nodes."""

from webchat.adapters.postgresql.address import masked
from webchat.adapters.postgresql.settings import PostgresSettings
from webchat.adapters.postgresql.store import PostgresStore

__all__ = ["PostgresSettings", "PostgresStore", "masked"]

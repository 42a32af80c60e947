"""What asyncpg and the database raise, told as the product's own errors."""

from __future__ import annotations

from typing import Final

import asyncpg

from webchat.errors import Code, WebchatError

NOT_ANSWERING: Final = "the store is not answering"

_LOST: Final = (
    OSError, TimeoutError, asyncpg.InterfaceError, asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError, asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError, asyncpg.PostgresSystemError,
    asyncpg.ReadOnlySQLTransactionError, asyncpg.LockNotAvailableError,
    asyncpg.IdleInTransactionSessionTimeoutError, asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError, asyncpg.UndefinedTableError,
)  # fmt: skip
"""The database cannot serve now. What was asked may have been done, or not."""

_BROKEN_OFF: Final = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)
_NO_TEXT: Final = (asyncpg.CharacterNotInRepertoireError, asyncpg.UntranslatableCharacterError)


def is_lost(error: BaseException) -> bool:
    """Whether it is the database, or the way to it, that failed."""
    # A value that asyncpg cannot encode is an InterfaceError, too, but the caller's.
    return isinstance(error, _LOST) and not isinstance(error, asyncpg.DataError)


def is_broken_off(error: BaseException) -> bool:
    """Whether the transaction was undone for another's sake: nothing was written, try again."""
    return isinstance(error, _BROKEN_OFF)


def refusal(error: BaseException) -> WebchatError:
    """`error` as the product says it; its cause stays attached."""
    if is_lost(error) or is_broken_off(error):
        told = WebchatError(Code.UNAVAILABLE, NOT_ANSWERING)
    elif isinstance(error, _NO_TEXT):
        told = WebchatError(Code.BAD_REQUEST, "an id has no NUL character")
    else:
        told = WebchatError(Code.INTERNAL, "the store failed")
    told.__cause__ = error
    return told

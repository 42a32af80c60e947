"""A store's URL: how it is shown without its password, which server it asks for, and why that could
not be reached.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import asyncpg

from webchat.ports.store import StoreRefused
from webchat.urls import is_clear

_SECRETS: Final = ("password", "sslpassword")


def masked(url: str) -> str:
    """`url` as it may be logged and shown: without its passwords."""
    try:
        parts = urlsplit(url)
        asked = parse_qsl(parts.query, keep_blank_values=True)
    except ValueError:
        return "the store's URL"
    if not is_clear(parts):
        return "postgresql://***"
    user, at, host = parts.netloc.rpartition("@")
    if ":" in user:
        user = f"{user.partition(':')[0]}:***"
    shown = [(name, "***" if name in _SECRETS else value) for name, value in asked]
    query = urlencode(shown, safe="*/:")
    return urlunsplit((parts.scheme, f"{user}{at}{host}", parts.path, query, ""))


def server_asked_for(url: str) -> str:
    """Which server behind `url` serves, as libpq's `target_session_attrs` says it: the primary,
    unless the URL asks for another. A standby answers reads, too, but of what was.

    Raises ValueError.
    """
    asked = dict(parse_qsl(urlsplit(url).query))
    return asked.get("target_session_attrs", "primary")


def each_server(url: str) -> list[str]:
    """`url` for each server that it names, of that one alone, in their order.

    Raises ValueError.
    """
    parts = urlsplit(url)
    login, at, hosts = parts.netloc.rpartition("@")
    # Whether a standby is to be had is known when all were asked.
    if "," not in hosts or server_asked_for(url) == "prefer-standby":
        return [url]
    return [urlunsplit(parts._replace(netloc=f"{login}{at}{host}")) for host in hosts.split(",")]


@contextmanager
def refusing(url: str) -> Iterator[None]:
    """Turn what a connection to `url` fails with into StoreRefused, in words for people."""
    try:
        yield
    except StoreRefused:
        raise
    except (*_REASONS, ValueError) as error:
        raise StoreRefused(f"{masked(url)} cannot be used as a store: {_reason(error)}") from error


_REASONS: Final = (
    OSError, OverflowError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError,
    asyncpg.TargetServerAttributeNotMatched,
)  # fmt: skip


def _reason(error: BaseException) -> str:
    match error:
        case asyncpg.InvalidPasswordError() | asyncpg.InvalidAuthorizationSpecificationError():
            return f"the server does not let this user in ({error}); check user and password"
        case asyncpg.InvalidCatalogNameError():
            return f"{error}; create it first, e.g. with createdb"
        case asyncpg.TargetServerAttributeNotMatched():
            return "what answers there is a standby, which takes no writes; name the primary, too"
        case asyncpg.LockNotAvailableError():
            return "a table is in use, as by pg_dump or an export; try again when that is done"
        case asyncpg.InsufficientPrivilegeError():
            return f"this user may not do that there ({error})"
        case asyncpg.ClientConfigurationError() | ValueError() | OverflowError():
            return "the URL is not understood; use postgresql://USER@HOST/DATABASE"
        case TimeoutError():
            return "it does not answer in time"
        case ssl.SSLError():
            return f"no encrypted connection could be made ({error.reason or error})"
        case OSError(filename=str(file)):
            return f"{file} cannot be read ({error.strerror})"
        case OSError():
            return f"it cannot be reached ({error.strerror or error})"
        case _:
            return str(error) or type(error).__name__

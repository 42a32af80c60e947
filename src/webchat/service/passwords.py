"""Passwords: Argon2id in worker threads, a bounded number at a time, never on the event loop.

Source: RFC 9106; parameters from OWASP's Password Storage Cheat Sheet.
"""

from __future__ import annotations

import asyncio
import base64
import secrets
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from webchat.errors import Code, WebchatError
from webchat.service.fair import Full, Line

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class PasswordSettings:
    """What a hash costs, and how many may be in hand: `threads` at work, `queue` waiting."""

    argon2_memory_kib: int = 47_104
    argon2_passes: int = 1
    argon2_lanes: int = 1
    threads: int = 2
    queue: int = 64
    retry_after_ms: int = 2_000


class Passwords:
    """Hashes and verifies, for each `asker` in turn. Beyond `queue` waiting calls whoever has most
    of them waiting gets WebchatError(UNAVAILABLE)."""

    def __init__(self, settings: PasswordSettings) -> None:
        self._settings = settings
        self._hasher = PasswordHasher(
            time_cost=settings.argon2_passes,
            memory_cost=settings.argon2_memory_kib,
            parallelism=settings.argon2_lanes,
        )
        self._pool = ThreadPoolExecutor(settings.threads, thread_name_prefix="argon2")
        self._line = Line(settings.threads, settings.queue)
        self.unusable = _unusable_hash(self._hasher)
        """A hash that no password has, and that takes as long to verify as any other."""

    async def hash(self, password: str, asker: str = "") -> str:
        """The encoded hash of `password`, salt and parameters included."""
        return await self._in_thread(asker, lambda: self._hasher.hash(_normal(password)))

    async def verify(self, password_hash: str | None, password: str, asker: str = "") -> bool:
        """Whether the hash is that of `password`; None takes as long and is False."""
        return await self._in_thread(
            asker, lambda: self._matches(password_hash or self.unusable, _normal(password))
        )

    def is_outdated(self, password_hash: str) -> bool:
        """Whether a hash that was right is one of other settings than today's."""
        return self._hasher.check_needs_rehash(password_hash)

    def close(self) -> None:
        """Let the threads go; what waits is dropped."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _matches(self, password_hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(password_hash, password)
        except (VerificationError, InvalidHashError):
            return False

    async def _in_thread(self, asker: str, work: Callable[[], _T]) -> _T:
        try:
            async with self._line.turn(asker):
                return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        except Full:
            raise WebchatError(
                Code.UNAVAILABLE,
                "Too many people are logging in right now.",
                retry_after_ms=self._settings.retry_after_ms,
            ) from None


def _normal(password: str) -> str:
    """The same password typed on another keyboard is the same text (RFC 8265, section 4.2)."""
    return unicodedata.normalize("NFC", password)


def _unusable_hash(hasher: PasswordHasher) -> str:
    parameters = f"m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}"
    salt, digest = (
        base64.b64encode(secrets.token_bytes(size)).decode().rstrip("=")
        for size in (hasher.salt_len, hasher.hash_len)
    )
    return f"$argon2id$v=19${parameters}${salt}${digest}"

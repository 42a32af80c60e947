"""Login tokens: random for their holder, a hash for the store, alive while they are used."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import msgspec
import structlog

from webchat.errors import WebchatError
from webchat.model import Login, Uid, is_id
from webchat.ports.accounts import Logins
from webchat.ports.clock import Clock, Timer
from webchat.service.hashes import secret_hash

_TOKEN_BYTES: Final = 32
_MAX_TOKEN_CHARS: Final = 128
_DAY_MS: Final = 86_400_000
_HURRY_MS: Final = 60_000
"""A login with less to live than this is slid at once."""
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class TokenSettings:
    """How long a login lives since its last use, how many a user may have, and how exactly that use
    is noted: once in `touch_interval_s`, written with others' after `noted_after_ms`."""

    login_days: float = 30
    logins_per_user: int = 1_000
    touch_interval_s: float = 60
    noted_after_ms: int = 250


class Issued(msgspec.Struct, frozen=True):
    """A login and its token, which nobody can be told a second time."""

    token: str
    login: Login


class Tokens:
    """Issues, checks and ends logins. Every method may raise WebchatError(UNAVAILABLE).

    No login is cached, so a revocation holds from its answer on.
    """

    def __init__(self, logins: Logins, clock: Clock, settings: TokenSettings) -> None:
        self._logins = logins
        self._clock = clock
        self._settings = settings
        self._noted: dict[str, Login] = {}
        self._timer: Timer | None = None
        self._saving: set[asyncio.Task[None]] = set()

    async def issue(self, uid: Uid) -> Issued:
        """A new login of the user, in the place of those least used if there are too many."""
        token = secrets.token_urlsafe(_TOKEN_BYTES)
        now = self._clock.now_ms()
        login = Login(secrets.token_hex(8), uid, now, now, self._expiry(now))
        await self._logins.add(secret_hash(token), login)
        await self._end_beyond(login)
        return Issued(token, login)

    async def _end_beyond(self, latest: Login) -> None:
        """End logins that are too many; the store would grow without a bound. Those that were not
        used again go first: who lets a program log in every minute keeps the browser's."""
        stored = await self._logins.of_user(latest.uid)
        if len(stored) <= self._settings.logins_per_user:
            return
        others = [self._noted.get(login.id, login) for login in stored if login.id != latest.id]
        others.sort(key=_worth, reverse=True)
        for login in others[self._settings.logins_per_user - 1 :]:
            await self._logins.revoke(login.uid, login.id)

    async def check(self, token: str) -> Login | None:
        """The live login of a token, its expiry slid, soon in the store, too; None: unknown,
        revoked or expired."""
        if not token or len(token) > _MAX_TOKEN_CHARS:
            return None
        login = await self._logins.find(secret_hash(token))
        if login is None or login.expires_at <= self._clock.now_ms():
            return None
        return await self._slide(login)

    async def of_user(self, uid: Uid) -> Sequence[Login]:
        """The user's live logins, newest first."""
        now = self._clock.now_ms()
        stored = [login for login in await self._logins.of_user(uid) if login.expires_at > now]
        return [self._noted.get(login.id, login) for login in stored]

    async def revoke(self, uid: Uid, login_id: str) -> bool:
        """End one login of the user; False: there is none of that id."""
        return is_id(login_id) and await self._logins.revoke(uid, login_id)

    async def revoke_all(self, uid: Uid, except_login: str = "") -> None:
        """End the user's logins, all but one."""
        await self._logins.revoke_all(uid, except_login)

    async def _slide(self, login: Login) -> Login:
        now = self._clock.now_ms()
        if now - login.last_used_at < self._settings.touch_interval_s * 1000:
            return login
        used = msgspec.structs.replace(login, last_used_at=now, expires_at=self._expiry(now))
        if login.expires_at - now > _HURRY_MS:
            self._note(used)
        else:
            await self._logins.touch([used])
        return used

    def _note(self, used: Login) -> None:
        """Have a use written, with others': nobody waits for it, and the next use mends a loss."""
        self._noted[used.id] = used
        if self._timer is None:
            self._timer = self._clock.call_later(self._settings.noted_after_ms / 1000, self._write)

    def _write(self) -> None:
        noted, self._noted, self._timer = list(self._noted.values()), {}, None
        saving = asyncio.ensure_future(self._save(noted))
        # Several while the store is slow: the loop itself keeps no task alive.
        self._saving.add(saving)
        saving.add_done_callback(self._saving.discard)

    async def _save(self, noted: Sequence[Login]) -> None:
        try:
            await self._logins.touch(noted)
        except WebchatError as error:
            _log.warning("uses of logins are not noted", why=error.message)

    def _expiry(self, now: int) -> int:
        return now + round(self._settings.login_days * _DAY_MS)


def _worth(login: Login) -> tuple[bool, int]:
    return login.last_used_at > login.created_at, login.last_used_at

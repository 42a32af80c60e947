"""Accounts as the operator of a server handles them: the acts behind `webchat user`.

They work on the store beside a running server, which learns of ended logins by the store's
revocations.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

from webchat.errors import Code, WebchatError
from webchat.model import Profile, Uid, is_uid
from webchat.ports.accounts import Accounts, Logins
from webchat.ports.clock import Clock
from webchat.service.account_rules import check_new_uid, check_password, clean_name
from webchat.service.passwords import Passwords
from webchat.service.profiles import new_profile

_PAGE: Final = 200
_LOCK: Final = "A" * 9
"""Behind a hash: makes its digest, of 32 bytes in base64, a longer one than Argon2 comes to."""


class Administration:
    """Each method raises WebchatError: BAD_REQUEST, UNKNOWN_USER, UNAVAILABLE, or what it says."""

    def __init__(
        self, accounts: Accounts, logins: Logins, passwords: Passwords, clock: Clock
    ) -> None:
        self._accounts = accounts
        self._logins = logins
        self._passwords = passwords
        self._clock = clock

    async def expect_none(self, uid: Uid, name: str) -> None:
        """There may be such an account, but there is none yet. CONFLICT."""
        check_new_uid(uid)
        clean_name(name)
        if await self._accounts.profile(uid) is not None:
            raise WebchatError(Code.CONFLICT, f"the user id {uid} is taken")

    async def add(self, uid: Uid, name: str, password: str) -> None:
        """A new account. CONFLICT if the uid, in any case, was ever given."""
        check_new_uid(uid)
        check_password(password)
        profile = new_profile(uid, clean_name(name))
        password_hash = await self._passwords.hash(password)
        await self._accounts.create(profile, password_hash, self._clock.now_ms())

    async def expect(self, uid: Uid) -> None:
        """There has to be such an account. FORBIDDEN for a disabled one."""
        if (await self._profile(uid)).disabled:
            raise WebchatError(Code.FORBIDDEN, f"{uid} is disabled.")

    async def passwd(self, uid: Uid, password: str) -> None:
        """Set the password and end every login of the user. FORBIDDEN for a disabled account."""
        check_password(password)
        await self.expect(uid)
        await self._accounts.save_password(uid, await self._passwords.hash(password))
        await self._logins.revoke_all(uid)

    async def disable(self, uid: Uid) -> None:
        """Refuse the account from now on and end every login of it; its messages stay. Where it
        was interrupted it is done again: a login that is left would still be taken."""
        await self._profile(uid)
        # The password is locked as well: the right one is then refused like any other, as late, and
        # no login is made for it that would have to be ended again.
        await self._accounts.save_password(uid, _locked(await self._password_hash(uid)))
        await self._accounts.change_profile(uid, {"disabled": True}, self._clock.now_ms())
        await self._logins.revoke_all(uid)

    async def enable(self, uid: Uid) -> None:
        """Take a disabled account again, with the password that it had; the logins that it had
        stay ended. Nothing is done to one that is taken."""
        profile, password_hash = await self._profile(uid), await self._password_hash(uid)
        if not profile.disabled and password_hash == _unlocked(password_hash):
            return
        await self._accounts.change_profile(uid, {"disabled": False}, self._clock.now_ms())
        # There are no logins, but it has the servers look at the profile again.
        await self._logins.revoke_all(uid)
        await self._accounts.save_password(uid, _unlocked(password_hash), expected=password_hash)

    async def list(self) -> AsyncIterator[Profile]:
        """Every account by uid, disabled ones too."""
        after = ""
        while page := await self._accounts.page(after, _PAGE):
            for profile in page:
                yield profile
            after = page[-1].uid

    async def _profile(self, uid: Uid) -> Profile:
        profile = await self._accounts.profile(uid) if is_uid(uid) else None
        if profile is None:
            raise WebchatError(Code.UNKNOWN_USER, f"There is no user {uid!r}.")
        return profile

    async def _password_hash(self, uid: Uid) -> str:
        return await self._accounts.password_hash(uid) or self._passwords.unusable


def _locked(password_hash: str) -> str:
    """The hash of no password, which takes as long to verify as any, and of which the one that it
    was made of can be had again."""
    return _unlocked(password_hash) + _LOCK


def _unlocked(password_hash: str) -> str:
    return password_hash.removesuffix(_LOCK)

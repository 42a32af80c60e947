"""Accounts as their owners use them: register, log in and out, settings, password, logins."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Final

import msgspec

from webchat.errors import Code, WebchatError
from webchat.model import MAX_ID_CHARS, Login, Profile, Uid, is_uid
from webchat.ports.accounts import Accounts, Changed
from webchat.ports.clock import Clock
from webchat.ports.limits import Limits, Rate
from webchat.service.account_rules import (
    MAX_PASSWORD_CHARS,
    check_new_uid,
    check_password,
    check_who_may_add_me,
    clean_about,
    clean_name,
)
from webchat.service.pages import Page, check_after, clean_limit, clean_prefix, page_of
from webchat.service.passwords import Passwords
from webchat.service.profiles import Profiles, new_profile
from webchat.service.tokens import Issued, Tokens

_RIGHT_PER_WRONG: Final = 10
"""How many times as often as it may be guessed a password that is right may be used."""


@dataclass(frozen=True, slots=True)
class AccountSettings:
    """How often passwords may be tried and accounts made: token buckets, refilled per minute.

    `login_attempts_per_min`: at one account from one site; `…_per_account_…`: from all of them,
    many times as often, so that nobody keeps its owner out by a few that guess.
    """

    login_attempts_per_min: float = 10
    login_burst: int = 10
    login_attempts_per_account_per_min: float = 300
    login_account_burst: int = 300
    login_attempts_per_address_per_min: float = 60
    login_address_burst: int = 60
    registrations_per_min: float = 30
    registrations_burst: int = 60


class ProfileChange(msgspec.Struct, frozen=True):
    """What a user changes about itself; None: leave it."""

    name: str | None = None
    about: str | None = None
    display_receipts: bool | None = None
    who_may_add_me: str | None = None


class AccountService:
    """Each method raises WebchatError with what it says, and UNAVAILABLE when the store is down."""

    def __init__(
        self,
        accounts: Accounts,
        profiles: Profiles,
        tokens: Tokens,
        passwords: Passwords,
        limits: Limits,
        clock: Clock,
        settings: AccountSettings,
    ) -> None:
        self._accounts = accounts
        self._profiles = profiles
        self._tokens = tokens
        self._passwords = passwords
        self._limits = limits
        self._clock = clock
        self._registrations = Rate(settings.registrations_per_min, settings.registrations_burst)
        self._logins_from_site = Rate(settings.login_attempts_per_min, settings.login_burst)
        self._logins_of_account = Rate(
            settings.login_attempts_per_account_per_min, settings.login_account_burst
        )
        self._right_logins = Rate(
            settings.login_attempts_per_min * _RIGHT_PER_WRONG,
            settings.login_burst * _RIGHT_PER_WRONG,
        )
        self._logins_of_address = Rate(
            settings.login_attempts_per_address_per_min, settings.login_address_burst
        )

    async def register(self, uid: Uid, name: str, password: str, address: str) -> Issued:
        """A new account, logged in. BAD_REQUEST, CONFLICT (the uid, in any case, was given once),
        RATE_LIMITED by the client's address."""
        check_new_uid(uid)
        profile = new_profile(uid, clean_name(name))
        check_password(password)
        await self._take(f"register:{_subscriber(address)}", self._registrations)
        password_hash = await self._passwords.hash(password, _subscriber(address))
        await self._accounts.create(profile, password_hash, self._clock.now_ms())
        return await self._issue_unless_changed(uid, password, password_hash)

    async def login(self, uid: Uid, password: str, address: str) -> Issued:
        """A new login. UNAUTHENTICATED, the same and as late for an unknown uid, a wrong password
        and a disabled account; RATE_LIMITED by account, by address and by both. A login too many
        ends the account's one that was longest unused."""
        async with self._attempt(uid, address):
            password_hash = await self._accounts.password_hash(uid) if is_uid(uid) else None
            if not await self._is_right(password_hash, password, _subscriber(address)):
                raise _wrong_password()
            password_hash = await self._renewed(uid, password, password_hash)
            return await self._issue_unless_changed(uid, password, password_hash)

    async def authenticate(self, token: str) -> Login | None:
        """The live login of a token; None: unknown, revoked or expired. A disabled account has
        none: see `_issue_unless_changed` and `Administration.disable`."""
        return await self._tokens.check(token)

    async def logout(self, login: Login) -> None:
        """End this login."""
        await self._tokens.revoke(login.uid, login.id)

    async def me(self, uid: Uid) -> Profile:
        """The own profile. UNAUTHENTICATED if the account is gone."""
        profile = await self._profiles.get(uid)
        if profile is None:
            raise _no_account()
        return profile

    async def change(self, uid: Uid, change: ProfileChange) -> Changed:
        """The own profile before and after `change`, durable. BAD_REQUEST, and then nothing
        changed; UNAUTHENTICATED as `me`."""
        changed = await self._profiles.change(uid, _checked(change))
        if changed is None:
            raise _no_account()
        return changed

    async def change_password(self, login: Login, old: str, new: str, address: str) -> None:
        """Set a new password and end the user's other logins, also where `new` is the password
        already. BAD_REQUEST (`new`), FORBIDDEN (`old` is wrong, or not right any more),
        RATE_LIMITED as `login`."""
        check_password(new)
        uid = login.uid
        try:
            async with self._attempt(uid, address):
                await self._replace(uid, old, new, _subscriber(address))
        except WebchatError as error:
            if error.code is not Code.FORBIDDEN:
                raise
            # It may be sent again: set before, and not answered, perhaps with no login ended.
            async with self._attempt(uid, address):
                password_hash = await self._accounts.password_hash(uid)
                if not await self._is_right(password_hash, new, _subscriber(address)):
                    raise
        await self._tokens.revoke_all(uid, except_login=login.id)

    async def _replace(self, uid: Uid, old: str, new: str, asker: str) -> None:
        """Set `new` in the place of `old`. Raises FORBIDDEN."""
        # Hashing takes a while: the operator may have set another one, or locked the account.
        while await self._is_right(old_hash := await self._accounts.password_hash(uid), old, asker):
            new_hash = await self._passwords.hash(new, asker)
            if await self._accounts.save_password(uid, new_hash, expected=old_hash):
                return
        raise WebchatError(Code.FORBIDDEN, "The old password is wrong.")

    async def logins(self, uid: Uid) -> Sequence[Login]:
        """The user's live logins, newest first."""
        return await self._tokens.of_user(uid)

    async def revoke(self, uid: Uid, login_id: str) -> None:
        """End one of the user's own logins. NOT_FOUND for any other."""
        if not await self._tokens.revoke(uid, login_id):
            raise WebchatError(Code.NOT_FOUND, "There is no such session.")

    async def search(self, prefix: str, after: Uid, limit: int) -> Page[Profile, Uid]:
        """Enabled accounts whose uid, name or a word of the name begins with `prefix`, by uid.
        BAD_REQUEST."""
        count = clean_limit(limit)
        check_after(after, is_uid)
        found = await self._accounts.search(clean_prefix(prefix), after, count + 1)
        return page_of(found, count, lambda profile: profile.uid)

    async def user(self, uid: Uid) -> Profile:
        """Somebody's profile. UNKNOWN_USER, for a disabled account too."""
        profile = await self._profiles.get(uid)
        if profile is None or profile.disabled:
            raise WebchatError(Code.UNKNOWN_USER, "There is no such user.")
        return profile

    async def _is_right(self, password_hash: str | None, password: str, asker: str = "") -> bool:
        too_long = len(password) > MAX_PASSWORD_CHARS
        return await self._passwords.verify(
            None if too_long else password_hash, password[:MAX_PASSWORD_CHARS], asker
        )

    async def _renewed(self, uid: Uid, password: str, password_hash: str | None) -> str | None:
        """The account's hash, made anew if it was made with other settings: one that is checked
        sooner or later than that of no account would tell that there is one."""
        if password_hash is None or not self._passwords.is_outdated(password_hash):
            return password_hash
        try:
            renewed = await self._passwords.hash(password)
            is_saved = await self._accounts.save_password(uid, renewed, expected=password_hash)
        except WebchatError:  # the next login's turn
            return password_hash
        return renewed if is_saved else password_hash

    async def _issue_unless_changed(
        self, uid: Uid, password: str, password_hash: str | None
    ) -> Issued:
        """Look again once the login is there: a password change or a disable that ended all logins
        while this one was being checked has either ended it, too, or is seen here."""
        issued = await self._tokens.issue(uid)
        profile = await self._accounts.profile(uid)
        if (
            profile is None
            or profile.disabled
            or not await self._is_still_right(uid, password, password_hash)
        ):
            await self._tokens.revoke(uid, issued.login.id)
            raise _wrong_password()
        return issued

    async def _is_still_right(self, uid: Uid, password: str, password_hash: str | None) -> bool:
        """Another hash may be of the same password: another login has renewed it."""
        latest = await self._accounts.password_hash(uid)
        return latest == password_hash or await self._is_right(latest, password)

    @asynccontextmanager
    async def _attempt(self, uid: Uid, address: str) -> AsyncIterator[None]:
        """One attempt at a password: a wrong one counts against the address, the account, and the
        account as that site tries it, a right one against the account's right ones, and one that
        came to nothing not at all."""
        account = uid[:MAX_ID_CHARS].casefold()
        if_wrong = (
            (f"login-from:{_subscriber(address)}", self._logins_of_address),
            (f"login:{_site(address)}:{account}", self._logins_from_site),
            (f"login-to:{account}", self._logins_of_account),
        )
        if_right = ((f"right-login:{account}", self._right_logins),)
        taken: list[tuple[str, Rate]] = []
        counts: Sequence[tuple[str, Rate]] = ()
        try:
            for throttle in (*if_wrong, *if_right):
                await self._take(*throttle)
                taken.append(throttle)
            yield
            counts = if_right
        except WebchatError as error:
            if error.code in {Code.UNAUTHENTICATED, Code.FORBIDDEN}:
                counts = if_wrong
            raise
        finally:
            for throttle in taken:
                if throttle not in counts:
                    await self._limits.give_back(*throttle)

    async def _take(self, key: str, rate: Rate) -> None:
        wait_ms = await self._limits.take(key, rate)
        if wait_ms:
            raise WebchatError(
                Code.RATE_LIMITED, "Too many attempts. Please wait.", retry_after_ms=wait_ms
            )


def _subscriber(address: str) -> str:
    """What one subscriber has at least: an IPv4 address, but a whole /64 of IPv6 (RFC 6177)."""
    return _network(address, 64)


def _site(address: str) -> str:
    """What one subscriber has at most: an IPv4 address, a /48 of IPv6. As many /64 as it has would
    use up an account's attempts, each with few."""
    return _network(address, 48)


def _network(address: str, ipv6_bits: int) -> str:
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    return address if parsed.version == 4 else str(ip_network((parsed, ipv6_bits), strict=False))


def _no_account() -> WebchatError:
    return WebchatError(Code.UNAUTHENTICATED, "This account does not exist.")


def _wrong_password() -> WebchatError:
    return WebchatError(Code.UNAUTHENTICATED, "User ID or password is wrong.")


def _checked(change: ProfileChange) -> dict[str, object]:
    wanted: dict[str, object] = {}
    if change.name is not None:
        wanted["name"] = clean_name(change.name)
    if change.about is not None:
        wanted["about"] = clean_about(change.about)
    if change.display_receipts is not None:
        wanted["display_receipts"] = change.display_receipts
    if change.who_may_add_me is not None:
        check_who_may_add_me(change.who_may_add_me)
        wanted["who_may_add_me"] = change.who_may_add_me
    return wanted

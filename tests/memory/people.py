"""Accounts, logins and kept receipts in plain dictionaries: the reference of these ports."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

import msgspec

from webchat.errors import Code, WebchatError
from webchat.model import Login, Profile, Uid
from webchat.ports.accounts import Changed, Revocation, fold, search_terms
from webchat.ports.clock import Clock
from webchat.ports.transfer import AccountRecord, KeptRecord, LoginRecord, Record

Check = Callable[[], None]
"""Raises WebchatError(UNAVAILABLE) while the store is down."""

_REVOCATIONS_KEPT_MS: Final = 24 * 3600 * 1000


@dataclass(slots=True)
class _Account:
    profile: Profile
    password_hash: str
    saved_at: int


class MemoryAccounts:
    """Accounts, in the order in which they were last added or saved."""

    def __init__(self, check_up: Check) -> None:
        self._check_up = check_up
        self._accounts: dict[Uid, _Account] = {}
        self._given: set[str] = set()

    async def create(self, profile: Profile, password_hash: str, at: int) -> None:
        """A new account. Raises WebchatError(CONFLICT)."""
        self._check_up()
        if fold(profile.uid) in self._given:
            raise WebchatError(Code.CONFLICT, f"the user id {profile.uid} is taken")
        self._given.add(fold(profile.uid))
        self._accounts[profile.uid] = _Account(profile, password_hash, at)

    async def profile(self, uid: Uid) -> Profile | None:
        """The profile, or None."""
        self._check_up()
        account = self._accounts.get(uid)
        return None if account is None else account.profile

    async def password_hash(self, uid: Uid) -> str | None:
        """The password's hash, or None."""
        self._check_up()
        account = self._accounts.get(uid)
        return None if account is None else account.password_hash

    async def change_profile(
        self, uid: Uid, fields: Mapping[str, object], at: int, make: Profile | None = None
    ) -> Changed | None:
        """Write these fields of a profile and no others: the account is the newest one then."""
        self._check_up()
        account = self._accounts.get(uid)
        before = make if account is None else account.profile
        if before is None:
            return None
        after = msgspec.structs.replace(before, **fields)
        self._accounts.pop(uid, None)
        self._accounts[uid] = _Account(after, account.password_hash if account else "", at)
        self._given.add(fold(uid))
        return Changed(before, after)

    async def save_password(
        self, uid: Uid, password_hash: str, expected: str | None = None
    ) -> bool:
        """Write the password's hash of an existing account, if it is `expected` until then."""
        self._check_up()
        account = self._accounts.get(uid)
        if account is None or expected not in {None, account.password_hash}:
            return False
        account.password_hash = password_hash
        return True

    async def search(self, prefix: str, after: Uid, limit: int) -> Sequence[Profile]:
        """Enabled accounts with a term that begins with `prefix`."""
        self._check_up()
        folded = fold(prefix)
        found = (
            profile
            for profile in self._by_uid(after)
            if not profile.disabled and any(t.startswith(folded) for t in search_terms(profile))
        )
        return [profile for profile, _ in zip(found, range(limit), strict=False)]

    async def recent(self, limit: int) -> Sequence[Profile]:
        """The accounts last added or saved, newest first."""
        self._check_up()
        oldest_first = sorted(self._accounts.values(), key=lambda account: account.saved_at)
        return [account.profile for account in oldest_first[::-1][:limit]]

    async def page(self, after: Uid, limit: int) -> Sequence[Profile]:
        """All accounts with uid > `after`, by uid."""
        self._check_up()
        return self._by_uid(after)[:limit]

    async def careful_among(self, uids: Sequence[Uid]) -> AbstractSet[Uid]:
        """Those of `uids` who want to be asked by strangers."""
        self._check_up()
        known = [self._accounts[uid].profile for uid in uids if uid in self._accounts]
        return {profile.uid for profile in known if profile.who_may_add_me == "shared"}

    def shows_display(self, uid: Uid) -> bool:
        """Whether others may see how far the user has read; so it is without an account."""
        account = self._accounts.get(uid)
        return account is None or account.profile.display_receipts

    def records(self) -> Iterator[Record]:
        """All accounts, those saved last at the end."""
        for account in sorted(self._accounts.values(), key=lambda account: account.saved_at):
            yield AccountRecord(account.profile, account.password_hash, account.saved_at)

    def restore(self, record: Record) -> None:
        """Keep an account that is not there."""
        if isinstance(record, AccountRecord) and record.profile.uid not in self._accounts:
            account = _Account(record.profile, record.password_hash, record.saved_at)
            self._accounts[record.profile.uid] = account
            self._given.add(fold(record.profile.uid))

    def _by_uid(self, after: Uid) -> list[Profile]:
        return [self._accounts[uid].profile for uid in sorted(self._accounts) if uid > after]


class MemoryLogins:
    """Logins by token hash, and what ended them."""

    def __init__(self, check_up: Check, clock: Clock) -> None:
        self._check_up = check_up
        self._clock = clock
        self._logins: dict[bytes, Login] = {}
        self._last_revocation = 0
        self._revocations: list[tuple[int, Revocation]] = []

    async def add(self, token_hash: bytes, login: Login) -> None:
        """Keep a login."""
        self._check_up()
        self._logins[token_hash] = login

    async def find(self, token_hash: bytes) -> Login | None:
        """The login of that token, or None."""
        self._check_up()
        return self._logins.get(token_hash)

    async def touch(self, used: Sequence[Login]) -> None:
        """Slide logins."""
        self._check_up()
        slid = {login.id: login for login in used}
        for token_hash, login in self._logins.items():
            if (at := slid.get(login.id)) is not None:
                self._logins[token_hash] = msgspec.structs.replace(
                    login, last_used_at=at.last_used_at, expires_at=at.expires_at
                )

    async def of_user(self, uid: Uid) -> Sequence[Login]:
        """The user's logins, newest first."""
        self._check_up()
        logins = [login for login in self._logins.values() if login.uid == uid]
        return sorted(logins, key=lambda login: (login.created_at, login.id), reverse=True)

    async def revoke(self, uid: Uid, login_id: str) -> bool:
        """End one login of the user."""
        self._check_up()
        if not self._drop(lambda login: login.uid == uid and login.id == login_id):
            return False
        self._leave_revocation(uid)
        return True

    async def revoke_all(self, uid: Uid, except_login: str = "") -> None:
        """End all logins of a user but one."""
        self._check_up()
        self._drop(lambda login: login.uid == uid and login.id != except_login)
        self._leave_revocation(uid)

    async def revocations(self, after_id: int | None) -> tuple[int, Sequence[Revocation]]:
        """(highest id, those after `after_id`)."""
        self._check_up()
        if after_id is None:
            return self._last_revocation, []
        later = [revocation for _, revocation in self._revocations if revocation.id > after_id]
        return self._last_revocation, later

    async def forget_expired(self, now: int) -> None:
        """Drop expired logins, and revocations older than a day."""
        self._check_up()
        self._drop(lambda login: login.expires_at <= now)
        oldest = now - _REVOCATIONS_KEPT_MS
        self._revocations = [(at, kept) for at, kept in self._revocations if at >= oldest]

    def records(self) -> Iterator[Record]:
        """All logins."""
        for token_hash, login in self._logins.items():
            yield LoginRecord(token_hash, login)

    def restore(self, record: Record) -> None:
        """Keep a login."""
        if isinstance(record, LoginRecord):
            self._logins.setdefault(record.token_hash, record.login)

    def _drop(self, ends: Callable[[Login], bool]) -> bool:
        kept = {token: login for token, login in self._logins.items() if not ends(login)}
        dropped = len(kept) < len(self._logins)
        self._logins = kept
        return dropped

    def _leave_revocation(self, uid: Uid) -> None:
        self._last_revocation += 1
        revocation = Revocation(self._last_revocation, uid)
        self._revocations.append((self._clock.now_ms(), revocation))


class MemoryKeptReceipts:
    """A bounded queue per user."""

    def __init__(self, check_up: Check) -> None:
        self._check_up = check_up
        self._kept: dict[Uid, deque[bytes]] = {}

    async def keep(self, uid: Uid, envelopes: Sequence[bytes], newest: int) -> None:
        """Append them; beyond `newest` the oldest go."""
        self._check_up()
        self._kept[uid] = deque([*self._kept.get(uid, ()), *envelopes], maxlen=newest)

    async def take(self, uid: Uid, limit: int) -> Sequence[bytes]:
        """Remove and return the oldest."""
        self._check_up()
        queue = self._kept.get(uid, deque())
        taken = [queue.popleft() for _ in range(min(limit, len(queue)))]
        if not queue:
            self._kept.pop(uid, None)
        return taken

    def records(self) -> Iterator[Record]:
        """All receipts, the oldest of each user first."""
        for uid, envelopes in self._kept.items():
            for envelope in envelopes:
                yield KeptRecord(uid, envelope)

    def restore(self, record: Record) -> None:
        """Keep a receipt."""
        if isinstance(record, KeptRecord):
            self._kept.setdefault(record.uid, deque()).append(record.envelope)

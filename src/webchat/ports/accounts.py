"""Accounts with their profiles, and logins (the tokens' hashes)."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Final, Protocol

import msgspec

from webchat.model import Login, Profile, Uid

REVOCATIONS_KEPT_MS: Final = 24 * 3_600_000
"""How long a revocation is there: every process of the store has seen it by then."""


class Revocation(msgspec.Struct, frozen=True):
    """Logins of `uid` ended: who hears of it looks which ones are left. `id` ascends with time."""

    id: int
    uid: Uid


class Changed(msgspec.Struct, frozen=True):
    """A profile before and after a change, which may have changed nothing."""

    before: Profile
    after: Profile


def fold(text: str) -> str:
    """`text` as `Accounts.search` compares it: no case, one form of each character (NFKC)."""
    return unicodedata.normalize("NFKC", text).casefold()


def search_terms(profile: Profile) -> set[str]:
    """What `Accounts.search` finds a profile by: beginnings of its uid, name, words of the name."""
    name = fold(profile.name)
    return {fold(profile.uid), name, *name.split()} - {""}


class Accounts(Protocol):
    """Accounts by uid. Uids that differ only in case are the same account for `create`.

    Every method may raise WebchatError(UNAVAILABLE).
    """

    async def create(self, profile: Profile, password_hash: str, at: int) -> None:
        """A new account, durable. Raises WebchatError(CONFLICT) if the uid, in any case, was ever
        given. `at`: ms. In open mode `password_hash` is ""."""

    async def profile(self, uid: Uid) -> Profile | None:
        """The profile; None: no such account (exact case)."""

    async def password_hash(self, uid: Uid) -> str | None:
        """The password's hash; None: no such account."""

    async def change_profile(
        self, uid: Uid, fields: Mapping[str, object], at: int, make: Profile | None = None
    ) -> Changed | None:
        """Write these fields of a profile and no others: of what changes at the same time, on any
        node, nothing is undone. None: no such account, unless `make` is what to make of it then
        (open mode, the seed's `/add`; uids that differ in case only are not refused here)."""

    async def save_password(
        self, uid: Uid, password_hash: str, expected: str | None = None
    ) -> bool:
        """Write the password's hash of an existing account, if it is `expected` until then (None:
        whatever it is). False: nothing was written."""

    async def search(self, prefix: str, after: Uid, limit: int) -> Sequence[Profile]:
        """Enabled accounts whose uid, name or a word of the name begins with `prefix`, in any case,
        with uid > `after`, by uid."""

    async def recent(self, limit: int) -> Sequence[Profile]:
        """The accounts last added or saved, newest first."""

    async def careful_among(self, uids: Sequence[Uid]) -> AbstractSet[Uid]:
        """Those of `uids` whom only people they share a conversation with may add to a group."""

    async def page(self, after: Uid, limit: int) -> Sequence[Profile]:
        """All accounts with uid > `after`, by uid, disabled ones too."""


class Logins(Protocol):
    """Logins by the SHA-256 of their token; the token itself is never stored.

    Promise: a revocation is seen by `revocations` of every process on the store, perhaps more than
    once; who looks after the last time finds none of the logins that ended.
    """

    async def add(self, token_hash: bytes, login: Login) -> None:
        """Keep a login."""

    async def find(self, token_hash: bytes) -> Login | None:
        """The login of that token, expired ones too; None: never was, or revoked."""

    async def touch(self, used: Sequence[Login]) -> None:
        """Slide logins: each was used, and expires, when it says; those that are gone stay gone."""

    async def of_user(self, uid: Uid) -> Sequence[Login]:
        """The user's logins, newest first."""

    async def revoke(self, uid: Uid, login_id: str) -> bool:
        """End one login of the user; False: it is not there. Leaves a Revocation."""

    async def revoke_all(self, uid: Uid, except_login: str = "") -> None:
        """End all logins of a user but one. Leaves a Revocation."""

    async def revocations(self, after_id: int | None) -> tuple[int, Sequence[Revocation]]:
        """(highest id, those after `after_id`); None: none of them, just where they end."""

    async def forget_expired(self, now: int) -> None:
        """Drop logins that expired and revocations older than REVOCATIONS_KEPT_MS."""

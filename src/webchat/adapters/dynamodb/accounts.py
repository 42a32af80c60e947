"""Accounts on DynamoDB: one item for all uids that differ in case only, and items that find it.

Index items (for the beginnings of uid, name and its words; by uid; by time) are written before the
account and removed after it. Who finds one asks the account, so what a crash leaves is passed over.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Final

import msgspec

from webchat.adapters.dynamodb import keys
from webchat.adapters.dynamodb.head import as_bytes
from webchat.adapters.dynamodb.steady import SteadyTable
from webchat.adapters.dynamodb.table import Item, Key, Span
from webchat.errors import Code, WebchatError
from webchat.model import Profile, Uid
from webchat.ports.accounts import Changed, fold, search_terms
from webchat.ports.clock import Clock

_PAGE: Final = 100


class Account(msgspec.Struct, frozen=True):
    """One account. `recent`: the `sk` of the item that says when it was saved; `saved_at`: ms."""

    profile: Profile
    password_hash: str
    saved_at: int
    recent: str


Make = Callable[[dict[Uid, Account], str], Account | None]
"""What is to be written, of the accounts of an item and the new account's `recent`; None: nothing.

It is asked again where another wrote first, or may have.
"""

_decode: Final = msgspec.json.Decoder(dict[Uid, Account]).decode


class DynamoAccounts:
    """See `ports/accounts.py`."""

    def __init__(self, table: SteadyTable, clock: Clock) -> None:
        self._table = table
        self._clock = clock
        self._order = itertools.count()

    async def create(self, profile: Profile, password_hash: str, at: int) -> None:
        """A new account. Raises WebchatError(CONFLICT)."""

        def made(found: dict[Uid, Account], recent: str) -> Account:
            mine = found.get(profile.uid)
            if found and (mine is None or mine.recent != recent):
                raise WebchatError(Code.CONFLICT, f"the user id {profile.uid} is taken")
            return Account(profile, password_hash, at, recent)

        await self._save(profile.uid, at, made)

    async def profile(self, uid: Uid) -> Profile | None:
        """The profile, or None."""
        account = await self._account(uid)
        return account.profile if account else None

    async def password_hash(self, uid: Uid) -> str | None:
        """The password's hash, or None."""
        account = await self._account(uid)
        return account.password_hash if account else None

    async def change_profile(
        self, uid: Uid, fields: Mapping[str, object], at: int, make: Profile | None = None
    ) -> Changed | None:
        """Write these fields of a profile and no others."""
        before = make

        def changed(found: dict[Uid, Account], recent: str) -> Account | None:
            nonlocal before
            account = found.get(uid)
            before = account.profile if account else make
            if before is None:
                return None
            after = msgspec.structs.replace(before, **fields)
            return Account(after, account.password_hash if account else "", at, recent)

        account = await self._save(uid, at, changed)
        return Changed(before, account.profile) if account and before else None

    async def save_password(
        self, uid: Uid, password_hash: str, expected: str | None = None
    ) -> bool:
        """Write the password's hash of an existing account, if it is `expected` until then."""
        written = False

        def saved(item: Item | None) -> Item | None:
            nonlocal written
            found = read_accounts(item)
            account = found.get(uid)
            if account is None or expected not in {None, account.password_hash}:
                # Of an attempt that timed out only the item says whether it won.
                written = written and account is not None and account.password_hash == password_hash
                return None
            written = True
            account = msgspec.structs.replace(account, password_hash=password_hash)
            return _item({**found, uid: account})

        await self._table.change(keys.account(uid), saved)
        return written

    async def search(self, prefix: str, after: Uid, limit: int) -> Sequence[Profile]:
        """Enabled accounts with a term that begins with `prefix`, by uid."""
        wanted = fold(prefix)
        return await self._listed(
            keys.found_by(wanted[: keys.INDEXED_CHARS]),
            after,
            limit,
            lambda account: (
                not account.profile.disabled
                and any(term.startswith(wanted) for term in search_terms(account.profile))
            ),
        )

    async def recent(self, limit: int) -> Sequence[Profile]:
        """The accounts last added or saved, newest first."""
        span = keys.prefixed(keys.RECENT, "", descending=True)
        found: list[Profile] = []
        async for account, item in self._accounts_by(span, _uid_of_recent, limit):
            if account.recent == item["sk"]:
                found.append(account.profile)
            if len(found) >= limit:
                break
        return found[:limit]

    async def careful_among(self, uids: Sequence[Uid]) -> AbstractSet[Uid]:
        """Those of `uids` who want to be asked by strangers."""
        found = await self._profiles(uids)
        return {profile.uid for profile in found if profile.who_may_add_me == "shared"}

    async def hiding_among(self, uids: Sequence[Uid]) -> set[Uid]:
        """Those of `uids` whose display receipts are off."""
        found = await self._profiles(uids)
        return {profile.uid for profile in found if not profile.display_receipts}

    async def page(self, after: Uid, limit: int) -> Sequence[Profile]:
        """All accounts with uid > `after`, by uid."""
        return await self._listed(keys.found_by(""), after, limit, lambda _: True)

    async def restore(self, profile: Profile, password_hash: str, at: int) -> None:
        """Write an account as it was elsewhere."""

        def same(found: dict[Uid, Account], recent: str) -> Account:
            return Account(profile, password_hash, at, recent)

        await self._save(profile.uid, at, same)

    async def _account(self, uid: Uid) -> Account | None:
        return read_accounts(await self._table.get(keys.account(uid))).get(uid)

    async def _profiles(self, uids: Sequence[Uid]) -> list[Profile]:
        items = await self._table.get_many(keys.account(uid) for uid in uids)
        accounts = [read_accounts(items.get(keys.account(uid))).get(uid) for uid in set(uids)]
        return [account.profile for account in accounts if account is not None]

    async def _listed(
        self, pk: str, after: Uid, limit: int, wanted: Callable[[Account], bool]
    ) -> list[Profile]:
        found: list[Profile] = []
        span = keys.prefixed(pk, "", after)
        async for account, _ in self._accounts_by(span, lambda item: str(item["sk"]), limit):
            if wanted(account):
                found.append(account.profile)
            if len(found) >= limit:
                break
        return found[:limit]

    async def _accounts_by(
        self, span: Span, uid_of: Callable[[Item], Uid], limit: int
    ) -> AsyncIterator[tuple[Account, Item]]:
        """The accounts that index items point to, in their order; those that are gone left out."""
        after: Key | None = None
        while limit > 0:
            page = await self._table.query(span, min(max(limit, 10), _PAGE), after)
            items = await self._table.get_many(keys.account(uid_of(each)) for each in page.items)
            for index in page.items:
                uid = uid_of(index)
                account = read_accounts(items.get(keys.account(uid))).get(uid)
                if account is not None:
                    yield account, index
            if (after := page.after) is None:
                return

    async def _save(self, uid: Uid, at: int, make: Make) -> Account | None:
        """What was written; None: `make` made nothing."""
        recent = (
            f"{keys.padded(at)}#{keys.padded(self._clock.now_ms())}#{next(self._order):09}#{uid}"
        )
        while True:
            item = await self._table.get(keys.account(uid))
            account = make(read_accounts(item), recent)
            if account is None:
                return None
            version = int(item["ver"]) + 1 if item else 1
            found_by: Item = {"pk": keys.RECENT, "sk": recent, "uid": uid}
            await self._index(account.profile, version, [found_by])
            written = await self._write(uid, make, recent, indexes(account.profile))
            if written is not None:
                return written

    async def _write(self, uid: Uid, make: Make, recent: str, found_in: set[str]) -> Account | None:
        """What was written; None: nothing, as by another's change it is not found in all it has to
        be found in."""
        stale: Account | None = None
        account: Account | None = None

        def saved(item: Item | None) -> Item | None:
            nonlocal stale, account
            found = read_accounts(item)
            stale, account = found.get(uid), make(found, recent)
            if account is None or not indexes(account.profile) <= found_in:
                return None
            return _item({**found, uid: account})

        try:
            written = await self._table.change(keys.account(uid), saved)
        except WebchatError as error:
            if error.code is Code.CONFLICT:
                await self._table.delete(Key(keys.RECENT, recent))
            raise
        if written is None or account is None:
            return None
        await self._forget(stale, account.profile, recent, int(written["ver"]))
        return account

    async def _forget(
        self, stale: Account | None, profile: Profile, recent: str, version: int
    ) -> None:
        """Remove index items that pointed to what an account was, and renew the others."""
        if stale is None:
            return
        await self._index(profile, version)
        if stale.recent != recent:
            await self._table.delete(Key(keys.RECENT, stale.recent))
        for pk in indexes(stale.profile) - indexes(profile):
            await self._table.delete_older(Key(pk, profile.uid), version)

    async def _index(self, profile: Profile, version: int, more: Sequence[Item] = ()) -> None:
        found_by: list[Item] = [
            {"pk": pk, "sk": profile.uid, "ver": version} for pk in indexes(profile)
        ]
        await self._table.put_many([*found_by, *more])


def read_accounts(item: Item | None) -> dict[Uid, Account]:
    """The accounts of an item, by their exact uid."""
    return _decode(as_bytes(item["accounts"])) if item else {}


def indexes(profile: Profile) -> set[str]:
    """The partitions in which an account can be found."""
    terms = search_terms(profile)
    lengths = range(1, keys.INDEXED_CHARS + 1)
    begins = {term[:length] for term in terms for length in lengths}
    return {keys.found_by(begin) for begin in begins} | {keys.found_by("")}


def _item(accounts: dict[Uid, Account]) -> Item:
    return {"accounts": msgspec.json.encode(accounts)}


def _uid_of_recent(item: Item) -> Uid:
    return str(item["uid"])

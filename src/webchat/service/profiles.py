"""Profiles through their cache (seed flow 1): who somebody is, and who is known."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence

from webchat.errors import Code, WebchatError
from webchat.model import Profile, Uid, is_uid
from webchat.ports.accounts import Accounts, Changed
from webchat.ports.cache import ProfileCache
from webchat.ports.clock import Clock
from webchat.service.account_rules import check_uid, clean_name
from webchat.service.batches import read_each
from webchat.service.newest import put_newest
from webchat.service.turns import Turns

Remember = Callable[[Profile], Awaitable[None]]
"""How the cache is told a profile: as a change, or as what was read."""


def new_profile(uid: Uid, name: str) -> Profile:
    """A profile with every setting at its default."""
    return Profile(
        uid, name, about="", display_receipts=True, who_may_add_me="everybody", disabled=False
    )


class Profiles:
    """Reads go to the cache first, writes to the store and then to the cache.

    In open mode every well-formed uid is a known user: one without an account has the profile
    `new_profile(uid, uid)`. What is not found is not cached. Whatever is put into the cache is
    compared with the store afterwards, so of concurrent saves, on any node, the last one stays.
    `noted`: called when somebody was added or came in here.
    """

    def __init__(
        self,
        accounts: Accounts,
        cache: ProfileCache,
        clock: Clock,
        *,
        open_mode: bool,
        recent: int = 10,
    ) -> None:
        self._accounts = accounts
        self._cache = cache
        self._clock = clock
        self._open_mode = open_mode
        self._recent_limit = recent
        self._saved = 0
        self._seen: OrderedDict[Uid, int] = OrderedDict()  # in the order of these times
        self.noted: Callable[[], object] = lambda: None
        self._turns = Turns()

    def peek(self, uid: Uid) -> Profile | None:
        """The profile if it is at hand, without waiting; in open mode always one."""
        return self._cache.peek(uid) or self._default(uid)

    async def get(self, uid: Uid) -> Profile | None:
        """The profile; None: no such user. Raises WebchatError(UNAVAILABLE)."""
        if not is_uid(uid):
            return None
        cached = await self._cache.get(uid)
        return cached or await self._refresh(uid, self._cache.fill) or self._default(uid)

    async def unknown_among(self, uids: Sequence[Uid]) -> list[Uid]:
        """Those of `uids` who are no users, or disabled ones, in their order."""
        if self._open_mode:
            return [uid for uid in uids if not is_uid(uid)]
        profiles = await self.many(uids)
        return [uid for uid in uids if uid not in profiles or profiles[uid].disabled]

    async def many(self, uids: Sequence[Uid]) -> dict[Uid, Profile]:
        """The profiles of many users; the unknown are left out."""
        found = {uid: self._cache.peek(uid) for uid in uids}
        missing = [uid for uid, profile in found.items() if profile is None]
        if missing:
            found.update(zip(missing, await read_each(self.get, missing), strict=True))
        return {uid: profile for uid, profile in found.items() if profile is not None}

    async def hiding(self, uids: Sequence[Uid]) -> set[Uid]:
        """Those of them who have display receipts turned off."""
        profiles = await self.many(uids)
        return {uid for uid, profile in profiles.items() if not profile.display_receipts}

    async def change(self, uid: Uid, fields: Mapping[str, object]) -> Changed | None:
        """Write these fields into what the store holds, which may be newer than the cache; the rest
        stays, whatever changes at the same time on any node. None: no such user."""
        async with self._turns.of(uid):
            changed = await self._accounts.change_profile(
                uid, fields, self._clock.now_ms(), self._default(uid)
            )
            if changed is not None:
                await self._show(uid)
            return changed

    async def rename(self, uid: Uid, name: str) -> Profile:
        """The profile with another name; in open mode that makes it if need be (the seed's `/add`).
        BAD_REQUEST, UNKNOWN_USER."""
        check_uid(uid)
        changed = await self.change(uid, {"name": clean_name(name)})
        if changed is None:
            raise WebchatError(Code.UNKNOWN_USER, "There is no such user.")
        return changed.after

    async def _show(self, uid: Uid) -> None:
        """Have reads see what was saved."""
        self._saved += 1
        self.note_recent(uid)
        try:
            await self._refresh(uid, self._cache.put)
        except WebchatError:  # it is saved; what the cache holds may be older
            await self._cache.drop(uid)

    async def forget(self, uid: Uid) -> None:
        """Drop the cached copy: somebody beside this process changed the account."""
        self._saved += 1
        await self._cache.drop(uid)

    def note_recent(self, uid: Uid) -> None:
        """Somebody was added or came in (open mode) at this node: later than all it knows of,
        whatever the clocks of others say."""
        known = next(reversed(self._seen.values()), 0)
        put_newest(self._seen, uid, max(self._clock.now_ms(), known), self._recent_limit)
        self.noted()

    def heard_recent(self, newest: Sequence[tuple[Uid, int]]) -> None:
        """What another node has as `newest`."""
        seen = self._seen
        for uid, at in reversed(newest):
            if at > seen.get(uid, 0):
                put_newest(seen, uid, at, len(seen) + 1)
        in_order = sorted(seen.items(), key=lambda each: each[1])
        self._seen = OrderedDict(in_order[-self._recent_limit :] if self._recent_limit else ())

    def newest(self) -> Sequence[tuple[Uid, int]]:
        """Who was added or came in last, as far as is known here, and when (ms), newest first."""
        return list(reversed(self._seen.items()))

    async def recent(self) -> list[Profile]:
        """The profiles most recently added or joined on any node, then those that the store has as
        added last."""
        seen = await self.many([uid for uid, _ in self.newest()])
        added = await self._accounts.recent(self._recent_limit)
        found = {profile.uid: profile for profile in (*seen.values(), *added)}
        return list(found.values())[: self._recent_limit]

    def _default(self, uid: Uid) -> Profile | None:
        return new_profile(uid, uid) if self._open_mode and is_uid(uid) else None

    async def _refresh(self, uid: Uid, remember: Remember) -> Profile | None:
        """Cache what the store holds, until the store says the same after the cache took it, or
        nobody can have put anything else. Where that cannot be found out nothing stays cached."""
        saved = self._saved
        profile = await self._accounts.profile(uid)
        if profile is None:
            return None
        try:
            return await self._cached(profile, saved, remember)
        except BaseException:  # whoever waits may go, too
            await self._cache.drop(uid)
            raise

    async def _cached(self, profile: Profile, saved: int, remember: Remember) -> Profile | None:
        latest: Profile | None = profile
        while latest is not None:
            await remember(latest)
            remember = self._cache.put  # what comes after is news
            if self._saved == saved and not self._cache.is_shared:
                break
            before, latest = latest, await self._accounts.profile(profile.uid)
            if latest == before:
                break
        return latest

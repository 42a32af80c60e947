"""Logins and what ended them, on DynamoDB.

A login lies under its token; two items point to it, by id and from its user's side. They are
written before it and may outlive it. A use writes the login alone: the note of when it may expire
stays where it is, and is made anew once that time has come. One that was ended lies there for a
day, as ended, so that what was to be written of it before and comes late is refused. Revocations
have gapless ids: the next is put if it is absent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from webchat.adapters.dynamodb import keys
from webchat.adapters.dynamodb.expiry import Expiry
from webchat.adapters.dynamodb.head import as_bytes
from webchat.adapters.dynamodb.steady import SteadyTable
from webchat.adapters.dynamodb.table import ANY, ConditionFailed, Item, Key, older, version
from webchat.model import Login, Uid
from webchat.ports.accounts import REVOCATIONS_KEPT_MS, Revocation
from webchat.ports.clock import Clock

_EXPIRES: Final = "login"
_ENDED: Final = "ended"
_ENDED_VER: Final = 2**53
"""No use of a login comes to it, so none that was decided on before its end is written after it."""
_decode: Final = msgspec.json.Decoder(Login).decode


class DynamoLogins:
    """See `ports/accounts.py`."""

    def __init__(self, table: SteadyTable, clock: Clock) -> None:
        self._table = table
        self._clock = clock
        self._expiry = Expiry(table)

    async def add(self, token_hash: bytes, login: Login) -> None:
        """Keep a login."""
        pointer: Item = {"token_hash": token_hash, "uid": login.uid}
        await self._expiry.note(_EXPIRES, login.id, login.expires_at)
        await self._table.put({**pointer, **keys.login(login.id)._asdict()})
        await self._table.put({**pointer, **_of_user(login.uid, login.id)._asdict()})
        item: Item = {**keys.token(token_hash)._asdict(), "ver": 1, **_content(login)}
        await self._table.put_if(item, older(2))  # refused: it has been used, or ended, since

    async def find(self, token_hash: bytes) -> Login | None:
        """The login of that token, or None."""
        item = await self._table.get(keys.token(token_hash))
        return live_login(item) if item else None

    async def touch(self, used: Sequence[Login]) -> None:
        """Slide logins."""
        await self._table.each(self._slide, used)

    async def _slide(self, used: Login) -> None:
        pointer = await self._table.get(keys.login(used.id))
        if pointer is None:
            return

        def slide(item: Item | None) -> Item | None:
            login = live_login(item) if item else None
            if login is None:
                return None
            return _content(
                msgspec.structs.replace(
                    login, last_used_at=used.last_used_at, expires_at=used.expires_at
                )
            )

        await self._table.change(keys.token(as_bytes(pointer["token_hash"])), slide)

    async def of_user(self, uid: Uid) -> Sequence[Login]:
        """The user's logins, newest first."""
        span = keys.prefixed(keys.user(uid), keys.LOGIN)
        tokens = [
            keys.token(as_bytes(item["token_hash"])) async for item in self._table.items(span)
        ]
        found = await self._table.get_many(tokens)
        logins = [login for item in found.values() if (login := live_login(item)) is not None]
        return sorted(logins, key=lambda login: (login.created_at, login.id), reverse=True)

    async def revoke(self, uid: Uid, login_id: str) -> bool:
        """End one login of the user."""
        pointer = await self._table.get(_of_user(uid, login_id))
        if pointer is None:
            return False
        await self._end(uid, {login_id: as_bytes(pointer["token_hash"])})
        return True

    async def revoke_all(self, uid: Uid, except_login: str = "") -> None:
        """End all logins of a user but one."""
        span = keys.prefixed(keys.user(uid), keys.LOGIN)
        found = {
            str(item["sk"]).removeprefix(keys.LOGIN): as_bytes(item["token_hash"])
            async for item in self._table.items(span)
        }
        found.pop(except_login, None)
        await self._end(uid, found)

    async def _end(self, uid: Uid, ended: Mapping[str, bytes]) -> None:
        """End logins: their tokens' hashes, by id.

        Told twice: first, since sockets that stay open are a hole if this process dies meanwhile,
        and again once they are gone, since who looked in between has found them still. Items that
        point to them go last, so who asks again after a failure has it all done again.
        """
        await self._leave_revocation(uid)
        await self._table.each(self._end_token, ended.values())
        await self._leave_revocation(uid)
        for login_id in ended:
            await self._drop(uid, login_id)

    async def _end_token(self, token_hash: bytes) -> None:
        until = self._clock.now_ms() + REVOCATIONS_KEPT_MS
        await self._expiry.note(_ENDED, token_hash.hex(), until)
        await self._table.put({**keys.token(token_hash)._asdict(), "ver": _ENDED_VER})

    async def revocations(self, after_id: int | None) -> tuple[int, Sequence[Revocation]]:
        """(highest id, those after `after_id`)."""
        if after_id is None:
            return await self._last_revocation(), []
        span = keys.prefixed(keys.REVOCATIONS, "", keys.padded(after_id))
        items = [item async for item in self._table.items(span)]
        # Where they end is not asked for once more: what was left since would be passed over.
        last = int(str(items[-1]["sk"])) if items else after_id
        return last, [_revocation(item) for item in items if not item["is_forgotten"]]

    async def forget_expired(self, now: int) -> None:
        """Drop expired logins, and revocations older than a day."""
        async for login_id in self._expiry.due(_EXPIRES, now):
            pointer = await self._table.get(keys.login(login_id))
            if pointer is not None:
                await self._expire(str(pointer["uid"]), login_id, pointer, now)
        async for token_hash in self._expiry.due(_ENDED, now):
            await self._table.delete(keys.token(bytes.fromhex(token_hash)))
        await self._forget_revocations(now - REVOCATIONS_KEPT_MS)

    async def _expire(self, uid: Uid, login_id: str, pointer: Item, now: int) -> None:
        """Drop a login, or note when it may expire by now, if it was used since it was noted."""
        key = keys.token(as_bytes(pointer["token_hash"]))
        while (item := await self._table.get(key)) and (login := live_login(item)):
            if login.expires_at > now:
                await self._expiry.note(_EXPIRES, login_id, login.expires_at)
                return
            try:
                await self._table.delete(key, version(int(item["ver"])))
            except ConditionFailed:
                continue
            break
        await self._drop(uid, login_id)

    async def _drop(self, uid: Uid, login_id: str) -> None:
        """What points to a login. The pointer by which its end comes at last goes last."""
        await self._table.delete(_of_user(uid, login_id))
        await self._table.delete(keys.login(login_id))

    async def _last_revocation(self) -> int:
        span = keys.prefixed(keys.REVOCATIONS, "", descending=True)
        page = await self._table.query(span, 1)
        return int(str(page.items[0]["sk"])) if page.items else 0

    async def _leave_revocation(self, uid: Uid) -> None:
        content: Item = {"uid": uid, "at": self._clock.now_ms(), "is_forgotten": 0}
        while True:
            key = Key(keys.REVOCATIONS, keys.padded(await self._last_revocation() + 1))
            if await self._table.change(key, lambda item: None if item else content) is not None:
                return

    async def _forget_revocations(self, before: int) -> None:
        """The newest item stays, so that ids go on after it."""
        last = keys.padded(await self._last_revocation())
        async for item in self._table.items(keys.prefixed(keys.REVOCATIONS, "")):
            if int(item["at"]) >= before:
                return
            if item["sk"] == last:
                await self._table.put({**item, "is_forgotten": 1})
            else:
                await self._table.delete(Key(keys.REVOCATIONS, str(item["sk"])), ANY)


def live_login(item: Item) -> Login | None:
    """The login that `item` is; None: it was ended."""
    return None if item["ver"] == _ENDED_VER else _decode(as_bytes(item["login"]))


def _content(login: Login) -> Item:
    return {"login": msgspec.json.encode(login)}


def _of_user(uid: Uid, login_id: str) -> Key:
    return Key(keys.user(uid), f"{keys.LOGIN}{login_id}")


def _revocation(item: Item) -> Revocation:
    return Revocation(int(str(item["sk"])), str(item["uid"]))

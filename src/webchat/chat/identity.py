"""Whose a connection is: by token or cookie, and no longer once its login has ended.

Source: docs/protocol.md, sections 2 and 7. In open mode nobody proves anything.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

import msgspec

from webchat.chat.client import Client
from webchat.chat.tools import Tools
from webchat.errors import Closing, Code, WebchatError
from webchat.model import Login, Uid, is_uid
from webchat.ports.clock import pause
from webchat.protocol.cookies import COOKIE, cookie_in
from webchat.service.newest import put_newest
from webchat.session.handler import ConnectRefused, Socket

_REMEMBERED_USERS: Final = 1_000
_FULL_RETRY_MS: Final = 10_000
"""When somebody with too many connections may ask again: a dead one is noticed within a minute."""
_DAY_MS: Final = 86_400_000


class Identity:
    """Who is behind which connection. `authenticate`: the login of a token, or None; `most`: how
    many connections of one user who has logged in there may be at a time."""

    def __init__(
        self,
        authenticate: Callable[[str], Awaitable[Login | None]],
        on_revoked: Callable[[Uid], Awaitable[None]],
        tools: Tools,
        most: int,
    ) -> None:
        self._most = most
        self._spawn = tools.spawn
        self._stats = tools.stats
        self._authenticate = authenticate
        self._logins = tools.store.logins
        self._patience = tools.patience
        self._clock = tools.clock
        self._open_mode = tools.open_mode
        self._on_revoked = on_revoked
        self._clients: dict[Uid, tuple[Client, ...]] = {}
        self._revoked_lately: OrderedDict[Uid, None] = OrderedDict()

    async def of(self, socket: Socket, auth: object) -> tuple[Uid | None, str]:
        """(whose this connection is, by which login); in open mode perhaps nobody's yet.

        Raises ConnectRefused.
        """
        said = _said(auth)
        if self._open_mode:
            return (said if is_uid(said) else None), ""
        token = said or cookie_in(socket.request.headers.get("cookie", ""), COOKIE)
        try:
            login = await self._authenticate(token) if token else None
        except WebchatError as error:
            raise ConnectRefused(
                error.message, error.code.wire, retry_after_ms=error.retry_after_ms
            ) from error
        if login is None:
            raise ConnectRefused("log in first", Code.UNAUTHENTICATED.wire)
        # From here to `entered` nothing is waited for.
        if len(self._clients.get(login.uid, ())) >= self._most:
            raise ConnectRefused(
                "too many connections of this user",
                Code.RATE_LIMITED.wire,
                retry_after_ms=_FULL_RETRY_MS,
            )
        return login.uid, login.id

    def entered(self, client: Client) -> None:
        """A connection is there. If a login of its user ended lately, it may have been its own."""
        if client.uid is None or self._open_mode:
            return
        self._clients[client.uid] = (*self._clients.get(client.uid, ()), client)
        if client.uid in self._revoked_lately:
            self._spawn(self._close_if_ended(client.uid))

    async def _close_if_ended(self, uid: Uid) -> None:
        await self._patience.insist(lambda: self._close_ended(uid), "ended logins", uid=uid)

    def left(self, client: Client) -> None:
        """A connection is gone."""
        uid = client.uid or ""
        clients = tuple(each for each in self._clients.pop(uid, ()) if each is not client)
        if clients:
            self._clients[uid] = clients

    async def watch(self, interval_ms: int) -> None:
        """Close the connections of logins that end, whoever ended them, in this process or not."""
        last: int | None = None
        while True:
            newest = await self._patience.attempt(partial(self._look, last), "ended logins")
            last = last if newest is None else newest
            await pause(self._clock, interval_ms / 1000)

    async def keep(self, login_days: float) -> None:
        """Count connections as uses of their logins, which end so long after their last one, and
        close those of logins that have expired. Each user is looked at once a day, or once in a
        tenth of that time, whichever is less; spread over it, as nobody waits for it."""
        life_ms = round(login_days * _DAY_MS)
        interval_ms = min(_DAY_MS, life_ms // 10)
        while True:
            uids = list(self._clients) or [""]
            for uid in uids:
                await pause(self._clock, interval_ms / len(uids) / 1000)
                use = partial(self._use, uid, life_ms, interval_ms // 2)
                await self._patience.attempt(use, "uses of logins")

    async def _use(self, uid: Uid, life_ms: int, unless_within_ms: int) -> None:
        lasting = await self._close_ended(uid)
        now = self._clock.now_ms()
        used = [
            msgspec.structs.replace(login, last_used_at=now, expires_at=now + life_ms)
            for login in lasting
            if now - login.last_used_at >= unless_within_ms
        ]
        if used:
            await self._logins.touch(used)

    async def _look(self, last: int | None) -> int:
        newest, revocations = await self._logins.revocations(last)
        for uid in dict.fromkeys(revocation.uid for revocation in revocations):
            put_newest(self._revoked_lately, uid, None, _REMEMBERED_USERS)
            await self._close_ended(uid)
            await self._on_revoked(uid)
        return newest

    async def _close_ended(self, uid: Uid) -> list[Login]:
        """Close the connections of this user whose login is no more; returns the others' logins."""
        if uid not in self._clients:
            return []
        stored, now = await self._logins.of_user(uid), self._clock.now_ms()
        lasting = {login.id: login for login in stored if login.expires_at > now}
        used: dict[str, Login] = {}
        for client in self._clients.get(uid, ()):
            if client.login_id in lasting:
                used[client.login_id] = lasting[client.login_id]
            else:
                self._stats.revoked += 1
                client.socket.close(Closing.SESSION_REVOKED, "this login has ended")
        return list(used.values())


def _said(auth: object) -> str:
    """The token of CONNECT's auth object."""
    said = auth.get("token") if isinstance(auth, dict) else None
    return said if isinstance(said, str) else ""

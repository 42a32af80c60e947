"""Routes of accounts: register, log in and out, oneself, one's sessions, other people."""

from __future__ import annotations

from typing import Any, Final, TypeVar

from msgspec import UnsetType

from webchat.errors import Code, WebchatError
from webchat.model import Login
from webchat.service.accounts import ProfileChange
from webchat.service.tokens import Issued
from webchat.transport.rest import wire
from webchat.transport.rest.route import Call, Reply, Route
from webchat.transport.rest.services import Services

_T = TypeVar("_T")


async def register(call: Call[wire.Registration, None]) -> Reply:
    """A new account, logged in."""
    body = call.body
    issued = await call.services.accounts.register(
        body.uid, body.name, body.password, call.client.address
    )
    return await _logged_in(call.services, issued)


async def login(call: Call[wire.Credentials, None]) -> Reply:
    """A new login."""
    body = call.body
    issued = await call.services.accounts.login(body.uid, body.password, call.client.address)
    return await _logged_in(call.services, issued)


async def logout(call: Call[None, None]) -> Reply:
    """End the login that asks."""
    await call.services.accounts.logout(_login(call))
    return Reply(None, cookie="")


async def me(call: Call[None, None]) -> wire.Me | Reply:
    """The own account. A browser's cookie is renewed here: it must outlive its login's use."""
    answer = wire.Me.of(await call.services.accounts.me(call.uid))
    return Reply(answer, call.by_cookie) if call.by_cookie else answer


async def change_me(call: Call[wire.MyChange, None]) -> wire.Me:
    """Change what the body names of the own account."""
    body = call.body
    change = ProfileChange(
        _set(body.name), _set(body.about), _set(body.display_receipts), _set(body.who_may_add_me)
    )
    return wire.Me.of(await call.services.own_account.change(call.uid, change))


async def change_password(call: Call[wire.PasswordChange, None]) -> None:
    """Set a new password; the other sessions end."""
    await call.services.accounts.change_password(
        _login(call), call.body.old, call.body.new, call.client.address
    )


async def sessions(call: Call[None, None]) -> wire.Sessions:
    """The own logins, newest first."""
    current = _login(call).id
    logins = await call.services.accounts.logins(call.uid)
    return wire.Sessions(
        [
            wire.Session(login.id, login.id == current, login.created_at, login.last_used_at)
            for login in logins
        ]
    )


async def revoke(call: Call[None, None]) -> None:
    """End one of the own logins."""
    await call.services.accounts.revoke(call.uid, call.params["id"])


async def users(call: Call[None, wire.UserQuery]) -> wire.Users:
    """Find people."""
    query = call.query
    page = await call.services.accounts.search(query.q, query.after, query.limit)
    return wire.Users([wire.User(profile.uid, profile.name) for profile in page.items], page.next)


async def user(call: Call[None, None]) -> wire.Person:
    """Somebody."""
    profile = await call.services.accounts.user(call.params["uid"])
    return wire.Person(profile.uid, profile.name, profile.about)


async def _logged_in(services: Services, issued: Issued) -> Reply:
    profile = await services.accounts.me(issued.login.uid)
    user = wire.User(profile.uid, profile.name)
    answer = wire.LoggedIn(issued.token, issued.login.expires_at, user)
    return Reply(answer, cookie=issued.token)


def _login(call: Call[Any, Any]) -> Login:
    if call.login is None:
        raise WebchatError(Code.UNAUTHENTICATED, "Please log in.")
    return call.login


def _set(value: _T | UnsetType) -> _T | None:
    return None if isinstance(value, UnsetType) else value


ROUTES: Final = (
    Route(
        "POST", "/api/v1/register", register, "Make an account and log in",
        body=wire.Registration, answer=wire.LoggedIn, status=201,
        errors=(Code.CONFLICT, Code.RATE_LIMITED), public=True, accounts_only=True,
    ),
    Route(
        "POST", "/api/v1/login", login, "Log in",
        body=wire.Credentials, answer=wire.LoggedIn,
        errors=(Code.UNAUTHENTICATED, Code.RATE_LIMITED), public=True, accounts_only=True,
    ),
    Route(
        "POST", "/api/v1/logout", logout, "Log out", status=204, accounts_only=True,
    ),
    Route("GET", "/api/v1/me", me, "Oneself", answer=wire.Me),
    Route(
        "PATCH", "/api/v1/me", change_me, "Change oneself", body=wire.MyChange, answer=wire.Me,
    ),
    Route(
        "POST", "/api/v1/me/password", change_password, "Change the password",
        body=wire.PasswordChange, status=204,
        errors=(Code.FORBIDDEN, Code.RATE_LIMITED), accounts_only=True,
    ),
    Route(
        "GET", "/api/v1/sessions", sessions, "The own sessions",
        answer=wire.Sessions, accounts_only=True,
    ),
    Route(
        "DELETE", "/api/v1/sessions/{id}", revoke, "End a session",
        status=204, errors=(Code.NOT_FOUND,), accounts_only=True,
    ),
    Route(
        "GET", "/api/v1/users", users, "Find people", query=wire.UserQuery, answer=wire.Users,
    ),
    Route(
        "GET", "/api/v1/users/{uid}", user, "Somebody",
        answer=wire.Person, errors=(Code.UNKNOWN_USER,),
    ),
)  # fmt: skip

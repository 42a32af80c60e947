"""Many requests of one user at once: they wait for each other, and nobody else for them."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from starlette.types import Message

from tests.memory import settle
from tests.rest.api import HOST, Api, check_problem
from webchat.service.conversations import Listed
from webchat.service.pages import Page

_AT_ONCE = 4
_TURNS = 200


class Library:
    """A list of conversations that is read for as long as a test likes."""

    def __init__(self) -> None:
        self.reading: list[str] = []
        self.most = 0
        self.may_end = asyncio.Event()

    async def page(self, uid: str, before: str | None, limit: int) -> Page[Listed, str]:
        self.reading.append(uid)
        self.most = max(self.most, self.reading.count(uid))
        await self.may_end.wait()
        self.reading.remove(uid)
        return Page([], None)


@pytest.fixture
def library(api: Api, monkeypatch: pytest.MonkeyPatch) -> Library:
    made = Library()
    monkeypatch.setattr(api.world.conversations, "page", made.page)
    return made


def ask_for_all(api: Api, token: str, count: int) -> list[asyncio.Task[httpx.Response]]:
    """So many requests for the list of conversations, all at once."""
    asked = [api.as_user(token, "GET", "/conversations") for _ in range(count)]
    return [asyncio.ensure_future(each) for each in asked]


async def test_a_users_requests_are_answered_a_few_at_a_time(api: Api, library: Library) -> None:
    asked = ask_for_all(api, await api.register("ann"), 30)
    await settle(_TURNS)
    library.may_end.set()
    assert [answer.status_code for answer in await asyncio.gather(*asked)] == [200] * 30
    assert library.most == _AT_ONCE


async def test_nobody_else_waits_for_them(api: Api, library: Library) -> None:
    ann, ben = await api.register("ann"), await api.register("ben")
    asked = ask_for_all(api, ann, 30)
    await settle(_TURNS)
    assert (await api.as_user(ben, "GET", "/me")).status_code == 200
    library.may_end.set()
    await asyncio.gather(*asked)


async def test_what_waited_while_its_login_ended_is_refused(api: Api, library: Library) -> None:
    ann = await api.register("ann")
    (login,) = await api.world.accounts.logins("ann")
    asked = ask_for_all(api, ann, 10)
    await settle(_TURNS)
    await api.world.accounts.logout(login)
    library.may_end.set()
    answers = await asyncio.gather(*asked)
    assert [answer.status_code for answer in answers[:_AT_ONCE]] == [200] * _AT_ONCE
    for answer in answers[_AT_ONCE:]:
        check_problem(answer, 401, "unauthenticated")


async def test_who_gives_up_waiting_takes_nobodys_place(api: Api, library: Library) -> None:
    ann = await api.register("ann")
    asked = ask_for_all(api, ann, 10)
    await settle(_TURNS)
    for each in asked[_AT_ONCE:]:
        each.cancel()
    library.may_end.set()
    await asyncio.gather(*asked, return_exceptions=True)
    assert (await api.as_user(ann, "GET", "/me")).status_code == 200


async def test_who_does_not_read_answers_is_given_few_of_them(api: Api) -> None:
    token = await api.register("ann")
    for _ in range(3):
        await api.world.say("ann", "ben", "x" * 100_000)
    begun, may_go_on = [], asyncio.Event()

    async def send(message: Message) -> None:
        if message["type"] == "http.response.body" and message["body"]:
            begun.append(len(message["body"]))
        elif message["type"] == "http.response.body":
            await may_go_on.wait()  # as uvicorn does while what it has written is not read

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    headers = [(b"host", HOST.encode()), (b"authorization", f"Bearer {token}".encode())]
    path = "/api/v1/conversations/dm:ann:ben/events"
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET",
        "scheme": "http", "path": path, "raw_path": path.encode(), "query_string": b"",
        "root_path": "", "headers": headers, "client": ("127.0.0.1", 1), "server": (HOST, 80),
    }  # fmt: skip
    asked = [asyncio.ensure_future(api.app(dict(scope), receive, send)) for _ in range(10)]
    await settle(_TURNS)
    assert len(begun) == _AT_ONCE
    may_go_on.set()
    await asyncio.gather(*asked)
    assert len(begun) == 10


async def test_a_query_of_many_fields_is_refused(api: Api) -> None:
    token = await api.register("ann")
    check_problem(await api.as_user(token, "GET", "/users?" + "a&" * 33), 400, "bad_request")

"""The rows of `make bench`: every load with those who are put under it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from bench import answers, cases, centrifugo, nodes, servers, tinode
from bench.cases import MESSAGES
from bench.group_store import group_of, last_seq
from bench.nodes import NPM, OURS
from bench.running import Running
from bench.samples import Row
from bench.sizes import Sizes
from bench.stores import Contents, LongTalk, Talks, copy_of
from webchat.model import pair_conv

PYTHON, RUST, BARE = "python-socketio", "socketioxide", "bare C loop"
GO, GO_KEEPING, TINODE = "Centrifugo", "Centrifugo with history", "Tinode"
CONVERSATIONS, ENTRIES = 20, 2
"""Of a user that comes back, and in each of its conversations."""
_KEYS_READ_PER_S = 200_000
"""So fast at least a server that has just started reads the keys of what is stored."""
MOST_PREPARED = 100_000
"""Conversations in a store of people who come back; with many each, fewer people do."""


def rows(sizes: Sizes) -> list[Row]:
    """All rows of that size."""
    return [
        *_chatting(sizes), *_groups(sizes), *_connections(sizes), *_curves(sizes),
        *_answers(sizes),
        nodes.row(sizes.pace, sizes.nodes, sizes.pairs, sizes.in_flight, sizes.bytes),
    ]  # fmt: skip


def _chatting(sizes: Sizes) -> Iterator[Row]:
    pace, pairs, size = sizes.chatting, sizes.pairs, sizes.bytes
    starts = {OURS: servers.webchat, NPM: servers.npm_socketio, **_more_peers(sizes)}
    for in_flight in (sizes.in_flight, 1):
        yield Row(
            f"pairs-{'many' if in_flight > 1 else 'one'}",
            f"{pairs} pairs, {in_flight} in flight, {size} bytes",
            {
                name: partial(cases.chat, start, pace, pairs, in_flight, size)
                for name, start in starts.items()
            },
        )
    yield Row(
        "offered",
        f"{sizes.offered_per_s:,} messages/s offered by {pairs} pairs, {size} bytes",
        {
            name: partial(cases.offered, start, pace, pairs, sizes.offered_per_s, size)
            for name, start in starts.items()
        },
    )
    on_postgresql: dict[str, cases.StartOnPostgresql] = {OURS: servers.webchat_postgresql}
    if sizes.all_peers and tinode.SERVER.exists():
        on_postgresql[TINODE] = tinode.tinode
    yield Row(
        "postgresql",
        f"on PostgreSQL: {pairs} pairs, {sizes.in_flight} in flight, {size} bytes",
        {
            name: partial(cases.chat_postgresql, start, pace, pairs, sizes.in_flight, size)
            for name, start in on_postgresql.items()
        },
    )


def _groups(sizes: Sizes) -> Iterator[Row]:
    pace, in_flight, size = sizes.pace, sizes.in_flight, sizes.bytes
    for online in sizes.online:
        ours = partial(servers.webchat, group_of(online))
        starts: dict[str, cases.Start] = {
            OURS: ours,
            NPM: servers.npm_socketio,
            **_built_peers(sizes),
            BARE: servers.bare_loop,
        }
        yield Row(
            f"group-{online}",
            f"group of {online:,} online, {in_flight} in flight, {size} bytes",
            {
                name: partial(cases.fan_out, start, pace, online, in_flight, size)
                for name, start in starts.items()
            },
        )
    for members in sizes.members:
        ours = partial(servers.webchat, group_of(members))
        online = min(10, members)
        yield Row(
            f"members-{members}",
            f"group of {members:,}, {online} online, {in_flight} in flight, {size} bytes",
            {OURS: partial(cases.fan_out, ours, pace, online, in_flight, size)},
        )
    readers, last = sizes.readers, last_seq(sizes.readers, MESSAGES)
    ours = partial(servers.webchat, group_of(readers, MESSAGES))
    yield Row(
        "receipts",
        f"group of {readers:,}, all read {MESSAGES} messages",
        {OURS: partial(cases.receipts, ours, readers, sizes.readers_in_flight, last)},
    )


def _connections(sizes: Sizes) -> Iterator[Row]:
    pace, npm = sizes.pace, servers.npm_socketio
    yield Row(
        "idle",
        f"{sizes.idle:,} connections that do nothing",
        {
            OURS: partial(cases.connections, servers.webchat, pace, sizes.idle),
            **{
                name: partial(cases.connections, start, pace, sizes.idle)
                for name, start in {NPM: npm, **_more_peers(sizes)}.items()
            },
        },
    )
    for conversations in sizes.returning_talks:
        devices = min(sizes.returning, MOST_PREPARED // conversations)
        back = rested(Talks("secured", devices, conversations, ENTRIES))
        run = partial(cases.returning, back, pace, devices, conversations, ENTRIES)
        yield Row(
            f"returning-{conversations}",
            f"{devices:,} devices log in and sync {conversations} conversations without news",
            {OURS: run},
        )
    known = (CONVERSATIONS, ENTRIES)
    back = rested(Talks("secured", sizes.storm, *known, bystanders=2 * sizes.calm[0]))
    yield Row(
        "storm",
        f"{sizes.storm:,} devices at once, {CONVERSATIONS} messages to fetch each",
        {
            OURS: partial(cases.storm, back, sizes.storm, *known),
            f"{NPM}, connects alone": partial(cases.storm, npm, sizes.storm, 0, 0),
        },
    )
    yield Row(
        "storm-beside",
        f"others, {sizes.calm[1]} messages/s, while {sizes.storm:,} devices come at once",
        {OURS: partial(cases.storm_beside, back, pace, sizes.storm, known, sizes.calm)},
    )


def _curves(sizes: Sizes) -> Iterator[Row]:
    pace, pairs, in_flight, size = sizes.pace, sizes.pairs, sizes.in_flight, sizes.bytes
    for idle in sizes.among:
        run = partial(cases.chat_among, servers.webchat, pace, idle, pairs, in_flight, size)
        yield Row(f"among-{idle}", f"{pairs} pairs among {idle:,} connections", {OURS: run})
    for stored in sizes.stored:
        ours = rested(LongTalk("open", stored))
        run = partial(cases.chat, ours, pace, 1, in_flight, size)
        yield Row(f"stored-{stored}", f"one pair with {stored:,} messages", {OURS: run})
    for talks in sizes.talks:
        ours = rested(Talks("open", 2, talks, 1))
        run = partial(cases.chat, ours, pace, 1, in_flight, size)
        yield Row(f"talks-{talks}", f"one pair, {talks:,} conversations each", {OURS: run})


def _answers(sizes: Sizes) -> Iterator[Row]:
    long_talk = copy_of(LongTalk("secured", sizes.most_stored))
    conv = pair_conv("load000000", "load000001")
    history = partial(answers.history, long_talk, conv, sizes.most_stored, sizes.requests)
    full = partial(answers.start, long_talk, servers.SECURED)
    empty = partial(answers.start, lambda _: None, servers.SECURED)
    stored = f"{sizes.most_stored:,}"
    yield Row("sync", "a page to the disk", {"disk": partial(answers.sync, sizes.requests)})
    yield Row("history", f"page of 50 of {stored} messages", {OURS: history})
    for count in sizes.listed:
        talks = copy_of(Talks("secured", 1, count, 1))
        run = partial(answers.conversation_list, talks, sizes.requests)
        yield Row(f"list-{count}", f"page of 50 of {count:,} conversations", {OURS: run})
    yield Row("start", "start on an empty store", {OURS: empty})
    yield Row("start-full", f"start on {stored} messages", {OURS: full})


def _more_peers(sizes: Sizes) -> dict[str, cases.Start]:
    if not sizes.all_peers:
        return {}
    return {**_built_peers(sizes), PYTHON: servers.python_socketio, BARE: servers.bare_loop}


def _built_peers(sizes: Sizes) -> dict[str, cases.Start]:
    """Those that `make bench-peers` could build."""
    starts: dict[str, cases.Start] = {}
    if sizes.all_peers and servers.SOCKETIOXIDE.exists():
        starts[RUST] = servers.socketioxide
    if sizes.all_peers and centrifugo.BINARY.exists():
        starts[GO] = centrifugo.centrifugo
        starts[GO_KEEPING] = partial(centrifugo.centrifugo, history=True)
    return starts


def rested(contents: Contents) -> cases.Start:
    """webchat on a copy of these, which has read which keys it has: no part of what follows."""

    @contextmanager
    def start() -> Iterator[Running]:
        mode = servers.SECURED if contents.mode == "secured" else servers.OPEN
        with servers.webchat(copy_of(contents), mode) as server:
            time.sleep(contents.keys / _KEYS_READ_PER_S)
            yield server

    return start

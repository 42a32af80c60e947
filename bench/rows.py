"""The rows of `make bench`: every load with those who are put under it, in three sizes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

from bench import answers, cases, nodes, servers
from bench.cases import MESSAGES, Pace
from bench.group_store import group_of, last_seq
from bench.nodes import NPM, OURS
from bench.samples import Row
from bench.stores import LongTalk, Talks, copy_of
from webchat.model import pair_conv

PYTHON, BARE = "python-socketio", "bare C loop"
CONVERSATIONS = 20
"""Of a user that comes back."""
KNOWN = (CONVERSATIONS, 2)
"""Conversations, and the entries in each."""


@dataclass(frozen=True)
class Sizes:
    """How much of everything; every row is in every size. `talks`, `stored`, `among`: where the
    curves are looked at. `most_stored`: messages in a store for pages and for starting on it."""

    rounds: int
    pace: Pace
    pairs: int
    offered_per_s: int
    idle: int
    known: int
    storm: int
    calm: tuple[int, int, int]
    online: tuple[int, ...]
    members: tuple[int, ...]
    readers: int
    among: tuple[int, ...]
    stored: tuple[int, ...]
    talks: tuple[int, ...]
    most_stored: int
    most_talks: int
    requests: int
    nodes: tuple[int, ...]
    in_flight: int = 8
    bytes: int = 250
    readers_in_flight: int = 10
    all_peers: bool = False


SIZES = {
    "tiny": Sizes(
        rounds=1, pace=Pace(0.1, 0.0, 0.0), pairs=2, offered_per_s=50, idle=3, known=3, storm=3,
        calm=(1, 20, 250), online=(3,), members=(3,), readers=3, among=(2, 3), stored=(10, 20),
        talks=(1, 2), most_stored=60, most_talks=3, requests=3,
        nodes=(2,),
    ),
    "short": Sizes(
        rounds=2, pace=Pace(1.5, 0.3, 0.3), pairs=100, offered_per_s=2_000, idle=1_000, known=1_000,
        storm=1_000, calm=(50, 200, 250), online=(100, 1_000), members=(100, 10_000), readers=200,
        among=(1_000, 3_000), stored=(100, 50_000), talks=(10, 1_000), most_stored=50_000,
        most_talks=1_000, requests=200, nodes=(2,),
    ),
    "long": Sizes(
        rounds=5, pace=Pace(3.0, 1.0, 1.5), pairs=100, offered_per_s=2_000, idle=5_000, known=5_000,
        storm=5_000, calm=(50, 200, 250), online=(10, 100, 1_000, 5_000),
        members=(10, 1_000, 100_000), readers=1_000, among=(1_000, 5_000, 19_000),
        stored=(100, 10_000, 1_000_000), talks=(10, 1_000, 10_000), most_stored=1_000_000,
        most_talks=10_000, requests=1_000, nodes=(1, 2, 4), all_peers=True,
    ),
}  # fmt: skip
"""tiny: proves that every row runs; short: `make bench`; long: `make bench-long`."""


def rows(sizes: Sizes) -> list[Row]:
    """All rows of that size."""
    return [
        *_chatting(sizes), *_groups(sizes), *_connections(sizes), *_curves(sizes),
        *_answers(sizes),
        nodes.row(sizes.pace, sizes.nodes, sizes.pairs, sizes.in_flight, sizes.bytes),
    ]  # fmt: skip


def _chatting(sizes: Sizes) -> Iterator[Row]:
    pace, pairs, size = sizes.pace, sizes.pairs, sizes.bytes
    starts = {OURS: servers.webchat, NPM: servers.npm_socketio}
    if sizes.all_peers:
        starts |= {BARE: servers.bare_loop, PYTHON: servers.python_socketio}
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
    yield Row(
        "postgresql",
        f"on PostgreSQL: {pairs} pairs, {sizes.in_flight} in flight, {size} bytes",
        {OURS: partial(cases.chat_postgresql, pace, pairs, sizes.in_flight, size)},
    )


def _groups(sizes: Sizes) -> Iterator[Row]:
    pace, in_flight, size = sizes.pace, sizes.in_flight, sizes.bytes
    for online in sizes.online:
        ours = partial(servers.webchat, group_of(online))
        starts: dict[str, cases.Start] = {
            OURS: ours,
            NPM: servers.npm_socketio,
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
    known = _secured(Talks("secured", sizes.known, *KNOWN))
    yield Row(
        "idle",
        f"{sizes.idle:,} connections that do nothing",
        {
            OURS: partial(cases.connections, servers.webchat, pace, sizes.idle),
            NPM: partial(cases.connections, npm, pace, sizes.idle),
        },
    )
    yield Row(
        "known",
        f"{sizes.known:,} devices log in and sync {CONVERSATIONS} conversations without news",
        {OURS: partial(cases.returning, known, pace, sizes.known, *KNOWN)},
    )
    back = _secured(Talks("secured", sizes.storm, *KNOWN, bystanders=2 * sizes.calm[0]))
    yield Row(
        "storm",
        f"{sizes.storm:,} devices at once, {CONVERSATIONS} messages to fetch each",
        {
            OURS: partial(cases.storm, back, sizes.storm, *KNOWN),
            f"{NPM}, connects alone": partial(cases.storm, npm, sizes.storm, 0, 0),
        },
    )
    yield Row(
        "storm-beside",
        f"others, {sizes.calm[1]} messages/s, while {sizes.storm:,} devices come at once",
        {OURS: partial(cases.storm_beside, back, pace, sizes.storm, KNOWN, sizes.calm)},
    )


def _curves(sizes: Sizes) -> Iterator[Row]:
    pace, pairs, in_flight, size = sizes.pace, sizes.pairs, sizes.in_flight, sizes.bytes
    for idle in sizes.among:
        run = partial(cases.chat_among, servers.webchat, pace, idle, pairs, in_flight, size)
        yield Row(f"among-{idle}", f"{pairs} pairs among {idle:,} connections", {OURS: run})
    for stored in sizes.stored:
        ours = partial(servers.webchat, copy_of(LongTalk("open", stored)))
        run = partial(cases.chat, ours, pace, 1, in_flight, size)
        yield Row(f"stored-{stored}", f"one pair with {stored:,} messages", {OURS: run})
    for talks in sizes.talks:
        ours = partial(servers.webchat, copy_of(Talks("open", 2, talks, 1)))
        run = partial(cases.chat, ours, pace, 1, in_flight, size)
        yield Row(f"talks-{talks}", f"one pair, {talks:,} conversations each", {OURS: run})


def _answers(sizes: Sizes) -> Iterator[Row]:
    long_talk = copy_of(LongTalk("secured", sizes.most_stored))
    conv = pair_conv("load000000", "load000001")
    talks = copy_of(Talks("secured", 1, sizes.most_talks, 1))
    history = partial(answers.history, long_talk, conv, sizes.most_stored, sizes.requests)
    listed = partial(answers.conversation_list, talks, sizes.requests)
    full = partial(answers.start, long_talk, servers.SECURED)
    empty = partial(answers.start, lambda _: None, servers.SECURED)
    stored = f"{sizes.most_stored:,}"
    yield Row("sync", "a page to the disk", {"disk": partial(answers.sync, sizes.requests)})
    yield Row("history", f"page of 50 of {stored} messages", {OURS: history})
    yield Row("list", f"page of 50 of {sizes.most_talks:,} conversations", {OURS: listed})
    yield Row("start", "start on an empty store", {OURS: empty})
    yield Row("start-full", f"start on {stored} messages", {OURS: full})


def _secured(talks: Talks) -> cases.Start:
    return partial(servers.webchat, copy_of(talks), servers.SECURED)

"""How much of everything the benchmark does, in three sizes; every row is in every size."""

from __future__ import annotations

from dataclasses import dataclass

from bench.cases import Pace


@dataclass(frozen=True)
class Sizes:
    """`online` to `listed`: where the curves are looked at, each number a row.

    `pairs`, `in_flight`, `bytes`: of messages one to one; `chatting`: their pace, in the long size
    for as long as a checkpoint of SQLite comes in it. `offered_per_s`: by all pairs together.
    `idle`, `storm`: connections. `returning`: at most so many devices come back, with
    `returning_talks` conversations. `calm`: others during a storm: pairs, messages a second of all,
    bytes. `online`: members of a group who are there; `members`: of a group with ten online;
    `readers`: of the group where all read. `among`: other connections; `stored`: messages of the
    conversation; `talks`: conversations of the user; `listed`: of one who asks for their list.
    `most_stored`: messages that pages of history are taken of, and that a server starts on.
    `requests`: of each page.
    """

    rounds: int
    pace: Pace
    chatting: Pace
    pairs: int
    offered_per_s: int
    idle: int
    returning: int
    storm: int
    calm: tuple[int, int, int]
    online: tuple[int, ...]
    members: tuple[int, ...]
    readers: int
    returning_talks: tuple[int, ...]
    among: tuple[int, ...]
    stored: tuple[int, ...]
    talks: tuple[int, ...]
    listed: tuple[int, ...]
    most_stored: int
    requests: int
    nodes: tuple[int, ...]
    in_flight: int = 8
    bytes: int = 250
    readers_in_flight: int = 10
    all_peers: bool = False


SIZES = {
    "tiny": Sizes(
        rounds=1,
        pace=Pace(seconds=0.4, warmup_s=0.0, settle_s=0.0),
        chatting=Pace(seconds=0.4, warmup_s=0.0, settle_s=0.0),
        pairs=2,
        offered_per_s=50,
        idle=3,
        returning=3,
        storm=3,
        calm=(1, 20, 250),
        online=(3,),
        members=(3,),
        readers=3,
        returning_talks=(20,),
        among=(2, 3),
        stored=(10, 20),
        talks=(1, 2),
        listed=(3,),
        most_stored=60,
        requests=3,
        nodes=(2,),
    ),
    "short": Sizes(
        rounds=2,
        pace=Pace(seconds=1.5, warmup_s=0.3, settle_s=0.3),
        chatting=Pace(seconds=1.5, warmup_s=0.3, settle_s=0.3),
        pairs=100,
        offered_per_s=2_000,
        idle=1_000,
        returning=1_000,
        storm=1_000,
        calm=(50, 200, 250),
        online=(100, 1_000),
        members=(100, 10_000),
        readers=200,
        returning_talks=(20,),
        among=(1_000, 3_000),
        stored=(100, 50_000),
        talks=(10, 1_000),
        listed=(20, 1_000),
        most_stored=50_000,
        requests=200,
        nodes=(2,),
    ),
    "long": Sizes(
        rounds=5,
        pace=Pace(seconds=3.0, warmup_s=1.0, settle_s=1.5),
        chatting=Pace(seconds=10.0, warmup_s=1.0, settle_s=1.5),
        pairs=100,
        offered_per_s=2_000,
        idle=5_000,
        returning=5_000,
        storm=5_000,
        calm=(50, 200, 250),
        online=(10, 100, 1_000, 5_000),
        members=(10, 1_000, 100_000),
        readers=1_000,
        returning_talks=(1, 20, 100),
        among=(1_000, 5_000, 19_000),
        stored=(100, 10_000, 1_000_000),
        talks=(10, 1_000, 10_000),
        listed=(20, 1_000, 10_000),
        most_stored=1_000_000,
        requests=300,
        nodes=(1, 2, 4),
        all_peers=True,
    ),
}
"""tiny: the tests, to prove that every row runs; short, long: `make bench` and `bench-long`."""

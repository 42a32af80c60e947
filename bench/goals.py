"""What the measurements are held against: each goal, and how it is worked out from the rows."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bench.nodes import NPM, OURS
from bench.rows import BARE, CONVERSATIONS, TINODE
from bench.samples import Found, median

TIMES = "\N{MULTIPLICATION SIGN}"

RETURNING = f"returning-{CONVERSATIONS}"
SMALL_GROUP = 100
"""Goals for fan-out begin with groups of so many online."""
MANY_LISTED = 1_000
"""The goal for the list of conversations ends with people who have so many."""


def ratio(one: float, other: float) -> float:
    """`one` by `other`, also where that took less than the kernel's clock shows."""
    return one / max(other, 1e-3)


class Medians:
    """The middle of each measure. Raises KeyError where something was not measured."""

    def __init__(self, found: Found) -> None:
        self._found = found

    def of(self, row: str, measure: str, contestant: str = OURS) -> float:
        """One measure of one contestant of a row."""
        return median(self._found[row][contestant], measure)

    def against(self, row: str, measure: str, other: str = NPM, own: str = OURS) -> float:
        """Ours as a share of another's: in each round, where they met the same machine, then the
        middle of these."""
        ours, others = self._found[row][own], self._found[row][other]
        if len(ours) != len(others):
            return ratio(self.of(row, measure, own), self.of(row, measure, other))
        pairs = zip(ours, others, strict=True)
        return statistics.median(ratio(one[measure], another[measure]) for one, another in pairs)

    def curve(self, family: str) -> list[tuple[int, str]]:
        """The rows `family-N`, by N. Raises KeyError if there are none."""
        names = [row for row in self._found if row.rpartition("-")[0] == family]
        if not names:
            raise KeyError(family)
        return sorted((int(name.rpartition("-")[2]), name) for name in names)


@dataclass(frozen=True)
class Goal:
    """`measured` gives a figure in `unit` (TIMES: a ratio) that is to be `most` at the highest, and
    would better be `stretch`. `because`: what is known about why it is not, when it is not."""

    title: str
    unit: str
    most: float
    stretch: float | None
    measured: Callable[[Medians], float]
    because: str = ""


def _against_npm(row: str, measure: str) -> Callable[[Medians], float]:
    return lambda medians: medians.against(row, measure)


def _of(row: str, measure: str) -> Callable[[Medians], float]:
    return lambda medians: medians.of(row, measure)


def _later(percentile: str) -> Callable[[Medians], float]:
    """By how much more than npm socket.io's and one sync of the disk an ack takes, in ms."""

    def excess_ms(medians: Medians) -> float:
        measure = f"ack_{percentile}_us"
        ours, theirs = medians.of("offered", measure), medians.of("offered", measure, NPM)
        return (ours - theirs) / 1e3 - medians.of("sync", f"{percentile}_ms", "disk")

    return excess_ms


def _fan_out(other: str) -> Callable[[Medians], float]:
    """The worst of all groups that are not small."""

    def worst(medians: Medians) -> float:
        groups = [row for online, row in medians.curve("group") if online >= SMALL_GROUP]
        return max(medians.against(row, "copy_us", other) for row in groups)

    return worst


def _flat(family: str) -> Callable[[Medians], float]:
    """The worst of a curve against its beginning."""

    def growth(medians: Medians) -> float:
        costs = [medians.of(row, "server_us") for _, row in medians.curve(family)]
        return ratio(max(costs), costs[0])

    return growth


def _receipt(medians: Medians) -> float:
    return ratio(medians.of("receipts", "receipt_us"), medians.of("pairs-many", "server_us"))


def _returning(medians: Medians) -> float:
    return ratio(medians.of(RETURNING, "connect_us"), medians.of("idle", "connect_us", NPM))


def _storm(medians: Medians) -> float:
    return medians.against("storm", "connect_us", f"{NPM}, connects alone")


def _storm_beside(medians: Medians) -> float:
    in_storm, calm = (medians.of("storm-beside", each) for each in ("storm_p99_us", "ack_p99_us"))
    return ratio(in_storm, calm)


def _list(medians: Medians) -> float:
    return max(
        medians.of(row, "p50_ms") for count, row in medians.curve("list") if count <= MANY_LISTED
    )


def _postgresql(medians: Medians) -> float:
    def all_us(contestant: str) -> float:
        measures = ("nodes_us", "database_us")
        return sum(medians.of("postgresql", each, contestant) for each in measures)

    return ratio(all_us(OURS), all_us(TINODE))


def _nodes(medians: Medians) -> float:
    return medians.against("nodes", "nodes_us", f"{NPM}, 2 nodes", f"{OURS}, 2 nodes")


GOALS = (
    Goal(
        "1:1, 8 in flight", TIMES, 0.50, 0.35, _against_npm("pairs-many", "server_us"),
        because=(
            "half is the loop, 39 Python calls a message where eight come in one read and 53 where "
            "it is alone (`tests/costs`), half the SQLite writer, 25 (`tests/contract`), each "
            "spread over many small things"
        ),
    ),
    Goal(
        "1:1, one in flight", TIMES, 0.90, 0.70, _against_npm("pairs-one", "server_us"),
        because="as above, with fewer messages to share a wakeup, a commit and a sync",
    ),
    Goal(
        "1:1 at a rate that is offered", TIMES, 1.1, 0.9, _against_npm("offered", "server_us"),
        because="it is 0.85 to 1.43 from run to run; at this rate much is wakeups",
    ),
    Goal(
        "its acks, p50, beyond socket.io's and one sync", "ms", 3.0, 0.0, _later("p50"),
        because="2 ms are the gathering time, the rest this machine's: 1.5 ms on a faster one",
    ),
    Goal(
        "its acks, p99, beyond socket.io's and one sync", "ms", 3.0, 0.0, _later("p99"),
        because=(
            "now and then SQLite copies its write-ahead log into the file, 30 ms and more that the "
            "writer waits for, and a sync takes 10: to copy less at a time, or by a thread of its "
            "own, made it no shorter"
        ),
    ),
    Goal("fan-out per copy, worst group from 100 online", TIMES, 0.65, 0.60, _fan_out(NPM)),
    Goal("the same, against a bare C loop of send()", TIMES, 1.2, None, _fan_out(BARE)),
    Goal(
        "a receipt, against one of our 1:1 messages", TIMES, 0.2, None, _receipt,
        because=(
            "each is an event of a connection of its own, to be taken apart and answered; "
            "against a message to that group it is under 0.02"
        ),
    ),
    Goal(
        "idle, logged in, 20 conversations", "KiB", 8.0, 6.0, _of(RETURNING, "kib"),
        because=(
            "some 180 bytes for each conversation that nobody else here follows, besides the "
            "login"
        ),
    ),
    Goal(
        "log in and sync 20, against its bare connect", TIMES, 1.0, 0.7, _returning,
        because=(
            "npm's does the upgrade alone, and here come the login, what the user follows, and 20 "
            "conversations to be followed"
        ),
    ),
    Goal(
        "a storm of devices, against its bare connects", TIMES, 2.0, 1.2, _storm,
        because=(
            "as above, and a read for all news; it is on one core with the writer and the threads"
        ),
    ),
    Goal(
        "others' ack p99 in the storm, against calm", TIMES, 5.0, None, _storm_beside,
        because="the writer shares the loop's core: it waits for a time slice after each sync",
    ),
    Goal(
        "a message among more connections, worst by fewest", TIMES, 1.15, None, _flat("among"),
        because="it is 0.98 to 1.29 from run to run, with 1,000 to 19,000 of them",
    ),
    Goal(
        "with more messages stored, worst by fewest", TIMES, 1.15, None, _flat("stored"),
        because="it is within what a lone pair's messages differ by from run to run",
    ),
    Goal(
        "with more conversations, worst by fewest", TIMES, 1.15, None, _flat("talks"),
        because="it is within what a lone pair's messages differ by from run to run",
    ),
    Goal("page of history, p50", "ms", 5.0, 2.0, _of("history", "p50_ms")),
    Goal(
        "page of conversations, p50, up to 1,000", "ms", 10.0, 4.0, _list,
        because="it reads the heads of all of them",
    ),
    Goal(
        "1:1 on PostgreSQL, server and database, against Tinode's", TIMES, 0.25, 0.15, _postgresql,
    ),
    Goal(
        "1:1 across two nodes on Redis, both nodes", TIMES, 0.6, 0.4, _nodes,
        because="two publishes a message, framed anew by each node; 0.24 to 0.85 by run",
    ),
    Goal(
        "start on an empty store", "s", 1.0, 0.5, _of("start", "ready_s"),
        because="it is imports; 0.5 s on a machine of twice the speed",
    ),
    Goal("start on a full store", "s", 3.0, 0.5, _of("start-full", "ready_s")),
)  # fmt: skip


def verdicts(found: Found) -> Iterator[tuple[Goal, float | None]]:
    """Each goal with what was measured; None: its rows, or all points of its curve, are missing."""
    medians = Medians(found)
    for goal in GOALS:
        try:
            yield goal, goal.measured(medians)
        except (KeyError, ValueError):
            yield goal, None

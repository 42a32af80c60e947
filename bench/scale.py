"""The tables of docs/scale.md, worked out from measured costs: `python -m bench.scale`.

Each cost names the command that measures it; change one here when it has been measured anew.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Costs:
    """Of one core of the machine they were measured on.

    `message_us`: node CPU of a durable message between two nodes, both of them; its one copy is in
    there, and counted once more (`make bench-nodes`). `copy_us`: of one copy of a message to a
    hundred online, `connect_us`: of a device with twenty conversations where thousands come at
    once, with a message in each to fetch, `connection_kib`: of an idle one (`make bench-long`).
    `ping_us`: of a ping and its answer. `publish_us`: Redis's CPU of one publish that one node
    hears (`python -m bench.bus`). `append_us`: PostgreSQL's CPU of one append at 64 in flight
    (`python -m bench.postgresql_store`). `units`: DynamoDB's write units of one message
    (`python -m bench.dynamodb_units`).
    """

    message_us: float = 77.0
    copy_us: float = 4.5
    ping_us: float = 10.0
    connect_us: float = 1950.0
    connection_kib: float = 7.5
    publish_us: float = 2.0
    append_us: float = 25.0
    units: float = 1.17


@dataclass(frozen=True)
class Habits:
    """What people do. `online`: share of them at the busiest hour; `messages`: each of them a day;
    `peak`: the busiest second to the average one; `group_share`: messages that go to groups, with
    `group_online` members online; `devices`: of a person that are online."""

    online: float = 0.1
    messages: float = 40.0
    peak: float = 3.0
    group_share: float = 0.3
    group_online: float = 20.0
    devices: float = 1.3


HEADROOM = 3.0
"""A core is planned for a third of what it can do."""
SESSIONS = 100_000
"""Connections that a process takes (`--sessions`)."""
PING_INTERVAL_S = 25.0
KIB_PER_GIB = 1024 * 1024


@dataclass(frozen=True)
class Load:
    """What so many `users` are at the busiest second."""

    users: float
    habits: Habits
    costs: Costs

    @property
    def connections(self) -> float:
        """Open ones."""
        return self.users * self.habits.online * self.habits.devices

    @property
    def messages_per_s(self) -> float:
        """Of all kinds."""
        return self.users * self.habits.messages / 86_400 * self.habits.peak

    @property
    def copies_per_s(self) -> float:
        """Packets that carry a message to somebody else's device."""
        habits = self.habits
        each = (1 - habits.group_share) + habits.group_share * habits.group_online
        return self.messages_per_s * each * habits.devices

    @property
    def publishes_per_s(self) -> float:
        """Two for a pair, one for a group."""
        return self.messages_per_s * (2 - self.habits.group_share)

    @property
    def node_cores(self) -> float:
        """Cores that are busy in all nodes together."""
        costs = self.costs
        busy_us = (
            self.messages_per_s * costs.message_us
            + self.copies_per_s * costs.copy_us
            + self.connections / PING_INTERVAL_S * costs.ping_us
        )
        return busy_us / 1e6

    @property
    def workers(self) -> float:
        """Processes, each with a core of its own; at least the two of which one may die."""
        return max(2.0, self.node_cores * HEADROOM, self.connections / SESSIONS)


def rows(load: Load) -> list[tuple[str, str]]:
    """The lines of one column."""
    costs = load.costs
    memory_gib = load.connections * costs.connection_kib / KIB_PER_GIB
    storm_s = load.connections / load.workers * costs.connect_us / 1e6
    return [
        ("connections", _short(load.connections)),
        ("messages/s", _short(load.messages_per_s)),
        ("copies/s", _short(load.copies_per_s)),
        ("busy cores in nodes", f"{load.node_cores:.1f}"),
        ("workers", f"{load.workers:.0f}"),
        ("memory of connections", f"{memory_gib:.0f} GiB"),
        ("publishes/s", _short(load.publishes_per_s)),
        ("busy cores in Redis", f"{load.publishes_per_s * costs.publish_us / 1e6:.2f}"),
        ("busy cores in PostgreSQL", f"{load.messages_per_s * costs.append_us / 1e6:.2f}"),
        ("DynamoDB write units/s", _short(load.messages_per_s * costs.units)),
        ("a worker's people coming back", f"{storm_s:.0f} s of CPU"),
    ]  # fmt: skip


def _short(number: float) -> str:
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= size:
            return f"{number / size:.3g} {unit}"
    return f"{number:.3g}"


def main() -> None:
    """Print the table in Markdown."""
    loads = [Load(users, Habits(), Costs()) for users in (1e6, 1e8, 1e9)]
    print("| users | " + " | ".join(_short(load.users) for load in loads) + " |")
    print("|---|" + "---|" * len(loads))
    for cells in zip(*map(rows, loads), strict=True):
        print(f"| {cells[0][0]} | " + " | ".join(cell[1] for cell in cells) + " |")


if __name__ == "__main__":
    main()

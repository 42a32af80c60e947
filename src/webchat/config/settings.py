"""The settings: each with its type, default, bounds, unit (in its name) and help, all in one place.

Options (`--rate-burst`), environment variables (`WEBCHAT_RATE_BURST`) and the reference in
docs/settings.md are derived from the fields.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Final, Literal

from webchat.config import places
from webchat.config.fields import SettingsError, amount, check_bounds, option_name, setting
from webchat.urls import shown

Role = Literal["all", "chat", "profile", "web"]
PARTS: Final = ("chat", "profile", "web")
"""What a node can play: Socket.IO, REST, the web client."""
_MARGIN_MS: Final = 3_500
"""By which timers and loops may be late."""


def default_data_dir() -> Path:
    """`$XDG_DATA_HOME/webchat`, or `~/.local/share/webchat` (XDG base directories, 0.8)."""
    base = os.environ.get("XDG_DATA_HOME", "")
    root = Path(base) if base.startswith("/") else Path.home() / ".local" / "share"
    return root / "webchat"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What `webchat serve` was told. Raises SettingsError for values that cannot be."""

    host: str = setting("127.0.0.1", "Address to listen on.")
    port: int = amount(4000, "Port to listen on; 0 takes a free one.", 0, 65_535)
    data: Path | None = setting(
        None, "Directory of the SQLite store (default: webchat in the XDG data directory)."
    )
    store: str = setting(
        "",
        "Store: sqlite:///ABSOLUTE/PATH.db (default: in --data), "
        "dynamodb://REGION/TABLE[?endpoint=URL] or postgresql://USER@HOST/DB.",
    )
    bus: str = setting(
        "memory:",
        "Bus between nodes: redis://HOST[/DATABASE], rediss://HOST (TLS) or unix:///PATH; "
        "memory: for a lone process.",
    )
    open: bool = setting(False, "Open mode: nobody logs in, whoever connects names its user.")
    profile_port: int | None = setting(
        None, "Serve profiles (the REST of open mode) on this port, too.", least=1, most=65_535
    )
    allow_origin: tuple[str, ...] = setting(
        (), "Browser origin to accept besides the own one, https://HOST[:PORT]; repeatable."
    )
    trusted_proxy: tuple[str, ...] = setting(
        (), "Network (CIDR) of proxies whose X-Forwarded-For and -Proto count; repeatable."
    )
    role: Role = setting(
        "all", "Part this node plays: Socket.IO, REST or the web client; the rest it passes on."
    )
    workers: int = amount(1, "Processes that share the port.", 1, 1_024)
    advertise: str = setting(
        "", "URL at which other nodes reach this one (default: http://HOST:PEER-PORT)."
    )
    peer_port: int = amount(
        0, "Port for other nodes, the first of --workers; 0 takes free ones.", 0, 65_535
    )
    node_id: str = setting(
        "", "Name of this node, unique among those on its store (default: random)."
    )
    log_level: Literal["debug", "info", "warning", "error"] = setting(
        "info", "Least severe log line that is written."
    )

    text_bytes: int = amount(16_384, "Longest text of a message, in bytes of UTF-8.", most=131_072)
    list_uids: int = amount(1_000, "Most uids in a list that a client sends.", most=1_000)
    extension_bytes: int = amount(4_096, "Most bytes of optional fields in an envelope.", 0)
    packet_bytes: int = amount(1_000_000, "Largest packet a client may send.", 1_024)
    packet_attachments: int = amount(10, "Most binary attachments of one packet.", 0)
    body_bytes: int = amount(65_536, "Largest body of a REST request.", 1_024)
    sessions: int = amount(100_000, "Most connections at once.")
    sessions_per_user: int = amount(
        1_000, "Most connections at once of one user who has logged in, on each node."
    )
    logins_per_user: int = amount(
        1_000, "Most logins of an account; a new one then ends the least used one."
    )
    polling_sessions: int = amount(10_000, "Most connections by polling at once.")
    outbox_bytes: int = amount(
        1_048_576, "Most bytes that wait for one connection; beyond, slow_consumer.", 262_144
    )
    backlog_entries: int = amount(200, "Most entries of one conversation that a join sends.")
    join_entries: int = amount(10_000, "Most entries of all conversations that a join sends.")
    held_messages: int = amount(100, "Messages of a user held for unknown groups (open mode).")
    held_group_bytes: int = amount(262_144, "Bytes of messages held for one unknown group.")
    held_days: int = amount(7, "How long messages for an unknown group are held.")
    link_days: int = amount(30, "How long an invite link may live.")
    links_per_group: int = amount(50, "Invite links that a group may have at a time.")
    kept_receipts: int = amount(1_000, "Receipts kept for an absent user in open mode.", 0)
    getall_profiles: int = amount(10, "Profiles that GET /getall lists in open mode.", 0)
    profile_cache_entries: int = amount(10_000, "Profiles a process keeps at hand.")

    rate_events_per_s: int = amount(
        30, "Events a connection may send, sustained; those of one user together 10 times as many."
    )
    rate_burst: int = amount(
        300, "Events a connection may send at once; those of one user together 10 times as many."
    )
    rate_logins_per_min: int = amount(
        10,
        "Passwords an account may be tried with from an address, sustained; "
        "with the right one, from all of them, 10 times as often.",
    )
    rate_logins_burst: int = amount(
        10,
        "Passwords an account may be tried with from an address at once; "
        "with the right one, from all of them, 10 times as often.",
    )
    rate_account_logins_per_min: int = amount(
        300, "Wrong passwords an account may be tried with from all addresses, sustained."
    )
    rate_account_logins_burst: int = amount(
        300, "Wrong passwords an account may be tried with from all addresses at once."
    )
    rate_address_logins_per_min: int = amount(60, "Logins an address may try, sustained.")
    rate_address_logins_burst: int = amount(60, "Logins an address may try at once.")
    rate_registrations_per_min: int = amount(30, "Registrations of an address, sustained.")
    rate_registrations_burst: int = amount(60, "Registrations of an address at once.")
    argon2_memory_kib: int = amount(47_104, "Memory that hashing a password takes.", 8)
    argon2_passes: int = amount(1, "Passes over that memory.")
    argon2_threads: int = amount(2, "Passwords that are hashed at the same time.")
    argon2_queue: int = amount(64, "Passwords that wait to be hashed; beyond, unavailable.")

    ping_interval_ms: int = amount(25_000, "Engine.IO: time between two pings.", 100)
    ping_timeout_ms: int = amount(20_000, "Engine.IO: wait for the answer to a ping.", 100)
    connect_timeout_ms: int = amount(20_000, "Wait for a connection's Socket.IO CONNECT.", 100)
    receipts_interval_ms: int = amount(250, "Receipts are coalesced over this time.")
    sync_more_timeout_s: int = amount(30, "Wait for further cursors after a join with more.")
    counts_interval_ms: int = amount(1_000, "Time between two counts of readers in large groups.")
    revocation_sweep_ms: int = amount(500, "Time between two looks for ended logins.", 10, 900)
    session_days: int = amount(30, "A login ends this many days after its last use.")
    drain_s: int = amount(15, "Longest time from SIGTERM to exit.", 0)
    bus_ack_timeout_ms: int = amount(500, "Wait for the bus to take a publish; then it is down.")
    bus_connect_timeout_ms: int = amount(3_000, "Wait for a connection to the bus.")
    bus_ping_interval_ms: int = amount(1_000, "Time between two trials of the bus.")
    bus_reconnect_min_ms: int = amount(50, "Wait before the bus is connected to again, at first.")
    bus_reconnect_max_ms: int = amount(1_000, "Wait before the bus is connected to again, at most.")
    bus_unanswered_bytes: int = amount(
        268_435_456, "Most bytes that wait for the bus; beyond, it is down.", 1_048_576
    )
    bus_check_interval_s: int = amount(
        15, "Time between two reads of what Redis says of its own state."
    )
    redis_prefix: str = setting(
        "webchat:",
        "What names of channels and keys begin with, so that installations can share a Redis; "
        "on databases of their own (redis://HOST/1) they may have the same.",
    )
    redis_timeout_ms: int = amount(500, "Wait for Redis to answer for a profile or a limit.")
    profile_cache_s: int = amount(600, "How long Redis remembers a profile.")
    compare_interval_ms: int = amount(
        4_000, "Time between two comparisons with the logs while the bus is down."
    )
    sweep_interval_s: int = amount(
        600,
        "Time of a pass in which each log that is followed when it begins is compared with the "
        "store once.",
    )
    failed_logs: int = amount(10_000, "Logs remembered whose entries the bus did not take.")
    failed_notices: int = amount(
        10_000,
        "Receipts remembered that the bus did not take, or a node without it did not hear.",
    )
    lease_ms: int = amount(15_000, "A node that is silent for so long is dead.", 300)
    clock_skew_ms: int = amount(
        60_000, "Difference of nodes' clocks beyond which /readyz is degraded."
    )
    relay_connect_timeout_ms: int = amount(1_000, "Wait for a connection to another node.")
    relay_answer_timeout_ms: int = amount(
        60_000, "Wait for another node's answer, longer than --ping-interval-ms."
    )
    relay_connections: int = amount(64, "Idle connections kept to each other node.", 0)
    sqlite_gather_ms: int = amount(
        2, "Commits begin at least this far apart, where writes come close together.", 0, 100
    )
    sqlite_journal_entries: int = amount(
        5_000, "Entries and positions in the journal at which it is folded."
    )
    sqlite_journal_bytes: int = amount(
        16_777_216, "Size of the journal at which it is folded into the tables.", 65_536
    )
    sqlite_journal_keys: int = amount(
        32_768, "Keys of entries in memory at which they are written to their table."
    )
    sqlite_key_filter_bytes: int = amount(
        33_554_432, "Memory that says which keys are new, 4 bytes an entry; at most so much.", 0
    )
    sqlite_fold_interval_ms: int = amount(
        1_000, "Wait after the last write until the journal is folded."
    )
    postgresql_read_connections: int = amount(4, "Connections for all but appends and positions.")
    postgresql_statement_timeout_ms: int = amount(5_000, "Wait for PostgreSQL; then unavailable.")
    postgresql_connect_timeout_ms: int = amount(3_000, "Wait for a connection to PostgreSQL.")
    postgresql_reconnect_min_ms: int = amount(
        50, "Wait before PostgreSQL is tried again, at first."
    )
    postgresql_reconnect_max_ms: int = amount(
        1_000, "Wait before PostgreSQL is tried again, at most."
    )
    postgresql_idle_transaction_timeout_ms: int = amount(
        2_000, "How long a node that has stopped may keep others waiting for its locks."
    )
    postgresql_attempts: int = amount(5, "Tries of a transaction that conflicts with others.")
    dynamodb_inline_bytes: int = amount(
        2_048, "Bytes of entries kept in the head of a log.", 512, 65_536
    )
    dynamodb_attempt_timeout_ms: int = amount(
        2_000, "Wait for a free connection to DynamoDB, and then for its answer."
    )
    dynamodb_retry_within_ms: int = amount(
        5_000, "How long a request that DynamoDB throttles is tried; then unavailable."
    )
    dynamodb_pause_ms: int = amount(25, "Wait before DynamoDB is asked again, at first.")
    dynamodb_max_pause_ms: int = amount(500, "Wait before DynamoDB is asked again, at most.")
    dynamodb_connections: int = amount(64, "Connections to DynamoDB.")
    dynamodb_marks_interval_ms: int = amount(
        1_000, "Time between two looks for what dead nodes left unfinished."
    )
    dynamodb_mark_age_ms: int = amount(
        2_000, "Unfinished work of this age is finished by any node."
    )

    def __post_init__(self) -> None:
        for spec in fields(self):
            check_bounds(option_name(spec.name), getattr(self, spec.name), spec.metadata)
        self._check_places()
        for origin in self.allow_origin:
            places.check_origin(origin)
        self.trusted_networks()

    def _check_places(self) -> None:
        if self.store_kind == "dynamodb":
            places.dynamo_place(self.store)
        elif self.store_kind == "sqlite":
            self.sqlite_path()
        if self.advertise:
            places.advertised(self.advertise)
        self.bus_kind  # noqa: B018  (raises if it is none)

    @property
    def store_kind(self) -> places.StoreKind:
        """Whose store it is."""
        return places.store_kind(self.store)

    @property
    def store_name(self) -> str:
        """The store for people: a path, or its URL without what may be secret."""
        return shown(self.store) if self.store_kind != "sqlite" else str(self.sqlite_path())

    @property
    def mode(self) -> Literal["secured", "open"]:
        """Whether users log in."""
        return "open" if self.open else "secured"

    @property
    def bus_kind(self) -> places.BusKind:
        """Whose bus it is."""
        return places.bus_kind(self.bus)

    @property
    def is_bus_shared(self) -> bool:
        """Whether there can be other nodes."""
        return self.bus_kind != "memory"

    @property
    def bus_unnoticed_s(self) -> float:
        """Longer than it takes to notice that the bus is gone, or that another Redis has taken its
        place."""
        answer_ms = max(self.bus_ack_timeout_ms, self.redis_timeout_ms)
        trial_ms = self.bus_ping_interval_ms + answer_ms
        return self.bus_check_interval_s + (trial_ms + _MARGIN_MS) / 1000

    @property
    def parts(self) -> tuple[str, ...]:
        """Which of PARTS this node plays."""
        return PARTS if self.role == "all" else (self.role,)

    @property
    def data_dir(self) -> Path:
        """Where the store lives when no --store names another place."""
        return self.data if self.data is not None else default_data_dir()

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can connect."""
        return places.is_loopback(self.host)

    def trusted_networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """The networks of --trusted-proxy. Raises SettingsError."""
        return tuple(map(_network, self.trusted_proxy))

    def sqlite_path(self) -> Path:
        """The file of the SQLite store. Raises SettingsError where --store names another store."""
        return places.sqlite_path(self.store, self.data_dir)


def _network(cidr: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(cidr)
    except ValueError as error:
        raise SettingsError(f"--trusted-proxy {cidr}: {error}") from None

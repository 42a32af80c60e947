"""The settings: each with its type, default, bounds, unit (in its name) and help, all in one place.

Options (`--rate-burst`), environment variables (`WEBCHAT_RATE_BURST`) and the reference in
docs/settings.md are derived from the fields. Only `app` and the command know this module.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import unquote, urlsplit

ENV_PREFIX: Final = "WEBCHAT_"
Role = Literal["all", "chat", "profile", "web"]


class SettingsError(ValueError):
    """A setting that cannot be; the message is one line for a person at a terminal."""


def _setting(default: object, help_text: str, **about: object) -> Any:
    return field(default=default, metadata={"help": help_text, **about})


def _amount(default: int, help_text: str, least: int = 1, most: int | None = None) -> Any:
    return _setting(default, help_text, least=least, most=most)


def default_data_dir() -> Path:
    """`$XDG_DATA_HOME/webchat`, or `~/.local/share/webchat` (XDG base directories, 0.8)."""
    base = os.environ.get("XDG_DATA_HOME", "")
    root = Path(base) if base.startswith("/") else Path.home() / ".local" / "share"
    return root / "webchat"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What `webchat serve` was told. Raises SettingsError for values that cannot be."""

    host: str = _setting("127.0.0.1", "Address to listen on.")
    port: int = _amount(4000, "Port to listen on; 0 takes a free one.", 0, 65_535)
    data: Path | None = _setting(
        None, "Directory of the SQLite store (default: webchat in the XDG data directory)."
    )
    store: str = _setting("", "Store, sqlite:///ABSOLUTE/PATH.db (default: in --data).")
    bus: str = _setting("memory:", "Bus between processes: memory: for a single one.")
    open: bool = _setting(False, "Open mode: nobody logs in, whoever connects names its user.")
    profile_port: int | None = _setting(
        None, "Serve profiles (the REST of open mode) on this port, too.", least=1, most=65_535
    )
    allow_origin: tuple[str, ...] = _setting(
        (), "Browser origin to accept besides the own one, https://HOST[:PORT]; repeatable."
    )
    trusted_proxy: tuple[str, ...] = _setting(
        (), "Network (CIDR) of proxies whose X-Forwarded-For and -Proto count; repeatable."
    )
    role: Role = _setting("all", "Part of the server this process plays.")
    workers: int = _amount(1, "Processes that share the port.", 1, 1_024)
    advertise: str = _setting("", "URL at which other nodes reach this one.")
    log_level: Literal["debug", "info", "warning", "error"] = _setting(
        "info", "Least severe log line that is written."
    )

    text_bytes: int = _amount(16_384, "Longest text of a message, in bytes of UTF-8.", most=131_072)
    list_uids: int = _amount(1_000, "Most uids in one list.", most=1_000)
    extension_bytes: int = _amount(4_096, "Most bytes of optional fields in an envelope.", 0)
    packet_bytes: int = _amount(1_000_000, "Largest packet a client may send.", 1_024)
    packet_attachments: int = _amount(10, "Most binary attachments of one packet.", 0)
    body_bytes: int = _amount(65_536, "Largest body of a REST request.", 1_024)
    sessions: int = _amount(100_000, "Most connections at once.")
    outbox_bytes: int = _amount(
        1_048_576, "Most bytes that wait for one connection; beyond, slow_consumer.", 262_144
    )
    cursors: int = _amount(1_000, "Most cursors in one join or sync packet.", most=1_000)
    snapshots: int = _amount(50, "Most receipt snapshots one packet may ask for.", most=50)
    backlog_entries: int = _amount(200, "Entries of one conversation sent again after a join.")
    join_entries: int = _amount(10_000, "Entries of all conversations sent after one join.")
    held_messages: int = _amount(100, "Messages of a user held for unknown groups (open mode).")
    held_group_bytes: int = _amount(262_144, "Bytes of messages held for one unknown group.")
    held_days: int = _amount(7, "How long messages for an unknown group are held.")
    link_days: int = _amount(30, "How long an invite link may live.")
    links_per_group: int = _amount(50, "Invite links that a group may have at a time.")
    kept_receipts: int = _amount(1_000, "Receipts kept for an absent user in open mode.", 0)
    getall_profiles: int = _amount(10, "Profiles that GET /getall lists in open mode.", 0)
    profile_cache_entries: int = _amount(10_000, "Profiles a process keeps at hand.")

    rate_events_per_s: int = _amount(30, "Events a connection may send, sustained.")
    rate_burst: int = _amount(300, "Events a connection may send at once.")
    rate_logins_per_min: int = _amount(10, "Logins an account may try, sustained.")
    rate_logins_burst: int = _amount(10, "Logins an account may try at once.")
    rate_address_logins_per_min: int = _amount(60, "Logins an address may try, sustained.")
    rate_address_logins_burst: int = _amount(60, "Logins an address may try at once.")
    rate_registrations_per_min: int = _amount(30, "Registrations of an address, sustained.")
    rate_registrations_burst: int = _amount(60, "Registrations of an address at once.")
    argon2_memory_kib: int = _amount(47_104, "Memory that hashing a password takes.", 8)
    argon2_passes: int = _amount(1, "Passes over that memory.")
    argon2_threads: int = _amount(2, "Passwords that are hashed at the same time.")
    argon2_queue: int = _amount(64, "Passwords that wait to be hashed; beyond, unavailable.")

    ping_interval_ms: int = _amount(25_000, "Engine.IO: time between two pings.", 100)
    ping_timeout_ms: int = _amount(20_000, "Engine.IO: wait for the answer to a ping.", 100)
    connect_timeout_ms: int = _amount(20_000, "Wait for a connection's Socket.IO CONNECT.", 100)
    receipts_interval_ms: int = _amount(250, "Receipts are coalesced over this time.")
    sync_more_timeout_s: int = _amount(30, "Wait for further cursors after a join with more.")
    counts_interval_ms: int = _amount(1_000, "Time between two counts of readers in large groups.")
    revocation_sweep_ms: int = _amount(500, "Time between two looks for ended logins.", 10, 900)
    session_days: int = _amount(30, "A login ends this many days after its last use.")
    drain_s: int = _amount(15, "Longest time from SIGTERM to exit.", 0)
    sqlite_gather_ms: int = _amount(0, "Wait for more to commit together; 0 does not wait.", 0, 100)

    def __post_init__(self) -> None:
        for spec in fields(self):
            check_bounds(option_name(spec.name), getattr(self, spec.name), spec.metadata)
        for origin in self.allow_origin:
            check_origin(origin)
        self.trusted_networks()

    @property
    def data_dir(self) -> Path:
        """Where the store lives when no --store names another place."""
        return self.data if self.data is not None else default_data_dir()

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can connect."""
        if self.host == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False

    def trusted_networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        """The networks of --trusted-proxy. Raises SettingsError."""
        return tuple(map(_network, self.trusted_proxy))

    def sqlite_path(self) -> Path:
        """The file of the SQLite store. Raises SettingsError where --store names another store."""
        return sqlite_path(self.store, self.data_dir)


def option_name(field_name: str) -> str:
    """`rate_burst` → `--rate-burst`."""
    return "--" + field_name.replace("_", "-")


def env_name(field_name: str) -> str:
    """`rate_burst` → `WEBCHAT_RATE_BURST`."""
    return ENV_PREFIX + field_name.upper()


def check_bounds(name: str, value: object, about: Mapping[str, Any]) -> None:
    """Raises SettingsError if an int is outside of what its field's metadata allows."""
    if not isinstance(value, int) or isinstance(value, bool):
        return
    least, most = about.get("least"), about.get("most")
    if least is not None and value < least:
        raise SettingsError(f"{name} is {value}, but at least {least} is needed")
    if most is not None and value > most:
        raise SettingsError(f"{name} is {value}, but at most {most} is possible")


def check_origin(origin: str) -> None:
    """Raises SettingsError unless `origin` is one as browsers send it (RFC 6454, section 6.2)."""
    parts = urlsplit(origin)
    if parts.scheme not in {"http", "https"} or f"{parts.scheme}://{parts.netloc}" != origin:
        raise SettingsError(f"--allow-origin {origin}: write it as https://HOST[:PORT], no path")


def sqlite_path(store: str, data_dir: Path) -> Path:
    """The file that `store` names, `data_dir`/webchat.db if it is empty. Raises SettingsError."""
    if not store:
        return data_dir / "webchat.db"
    parts = urlsplit(store)
    if parts.scheme != "sqlite":
        raise SettingsError(
            f"--store {parts.scheme or store}: this version has sqlite:///PATH only"
        )
    if parts.netloc or not parts.path.strip("/"):
        raise SettingsError("--store: write sqlite:///ABSOLUTE/PATH.db, with three slashes")
    return Path(unquote(parts.path))


def unsupported(settings: Settings) -> Iterator[str]:
    """What these settings ask for and this version cannot do, each with what to use instead."""
    scheme = settings.bus.partition(":")[0]
    if settings.bus != "memory:":
        yield f"--bus {scheme}: this version serves with one process; use --bus memory:"
    if settings.workers > 1:
        yield "--workers: SQLite serves one process; use --workers 1"
    if settings.role != "all":
        yield "--role: SQLite serves one process, which plays every part; use --role all"
    if settings.advertise:
        yield "--advertise: there are no other nodes with --bus memory:; leave it out"


def _network(cidr: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(cidr)
    except ValueError as error:
        raise SettingsError(f"--trusted-proxy {cidr}: {error}") from None

"""Where the store, the bus and other nodes are: URLs read, and refused with words for people.

No message repeats a URL: it may hold a password.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Final, Literal, get_args
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from webchat.config.fields import SettingsError
from webchat.urls import origin_of

StoreKind = Literal["sqlite", "dynamodb", "postgresql"]
BusKind = Literal["memory", "redis", "rediss", "unix"]

SHARED_STORES: Final = "dynamodb://REGION/TABLE or postgresql://USER@HOST/DB"
_STORES: Final = f"sqlite:///ABSOLUTE/PATH.db, {SHARED_STORES}"
_BUSES: Final = "memory:, redis://HOST[:PORT], rediss://HOST[:PORT] or unix:///PATH"


@dataclass(frozen=True, slots=True)
class DynamoPlace:
    """A table of DynamoDB; `endpoint`: of an engine of one's own, "" for Amazon's."""

    region: str
    table: str
    endpoint: str


def store_kind(store: str) -> StoreKind:
    """The vendor that a --store names, SQLite if it is empty. Raises SettingsError."""
    scheme = _split(store, f"--store: write it as {_STORES}").scheme if store else "sqlite"
    for kind in get_args(StoreKind):
        if scheme == kind:
            return kind  # type: ignore[no-any-return]
    raise SettingsError(f"--store {scheme or 'without a scheme'}: write it as {_STORES}")


def bus_kind(bus: str) -> BusKind:
    """The kind of a --bus. Raises SettingsError."""
    parts = _split(bus, f"--bus: write it as {_BUSES}")
    for kind in get_args(BusKind):
        if parts.scheme == kind and (kind == "memory" or _names_redis(parts)):
            return kind  # type: ignore[no-any-return]
    raise SettingsError(f"--bus {parts.scheme or 'without a scheme'}: write it as {_BUSES}")


def sqlite_path(store: str, data_dir: Path) -> Path:
    """The file that `store` names, `data_dir`/webchat.db if it is empty. Raises SettingsError."""
    if not store:
        return data_dir / "webchat.db"
    if store_kind(store) != "sqlite":
        raise SettingsError("--store: this needs a SQLite store, sqlite:///ABSOLUTE/PATH.db")
    parts = urlsplit(store)
    if parts.netloc or not parts.path.startswith("/") or not parts.path.strip("/"):
        raise SettingsError("--store: write sqlite:///ABSOLUTE/PATH.db, with three slashes")
    return Path(unquote(parts.path))


def dynamo_place(store: str) -> DynamoPlace:
    """What `dynamodb://REGION/TABLE[?endpoint=http://host:port]` names. Raises SettingsError."""
    parts = urlsplit(store)
    options = parse_qs(parts.query)
    endpoint = options.pop("endpoint", [""])[-1]
    table = parts.path.strip("/")
    if not parts.netloc or not table or "/" in table or options or not _is_endpoint(endpoint):
        raise SettingsError("--store: write dynamodb://REGION/TABLE[?endpoint=http://HOST:PORT]")
    return DynamoPlace(parts.netloc, unquote(table), endpoint)


def check_origin(origin: str) -> None:
    """Raises SettingsError unless `origin` is one as browsers send it (RFC 6454, section 6.2)."""
    form = f"--allow-origin {origin}: write it as https://HOST[:PORT], no path"
    parts = _split(origin, form)
    if origin_of(origin) is None or f"{parts.scheme}://{parts.netloc}" != origin:
        raise SettingsError(form)


def advertised(url: str) -> tuple[str, int | None]:
    """Host and port of an --advertise, the port None if it names none. Raises SettingsError."""
    form = "--advertise: write it as http://HOST[:PORT], no path"
    parts = _split(url, form)
    port = _port(parts)
    if (
        f"http://{parts.netloc}" != url.rstrip("/")
        or not parts.hostname
        or parts.username
        or (port == 0)
    ):
        raise SettingsError(form)
    if is_wildcard(parts.hostname):
        raise SettingsError(
            "--advertise: write it as http://HOST[:PORT], HOST an address of this machine alone, "
            f"which {parts.hostname} is not"
        )
    return parts.hostname, port


def is_loopback(host: str) -> bool:
    """Whether only this machine can connect to `host`."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def is_wildcard(host: str) -> bool:
    """Whether `host` stands for all addresses of this machine, so that nobody can connect to it."""
    try:
        return ip_address(host).is_unspecified
    except ValueError:
        return host == ""


def url_of(host: str, port: int) -> str:
    """`http://HOST:PORT`, an IPv6 address in brackets."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _names_redis(parts: SplitResult) -> bool:
    return bool(parts.path.strip("/") if parts.scheme == "unix" else parts.hostname)


def _split(url: str, form: str) -> SplitResult:
    """Its parts. Raises SettingsError with `form`, as which it should have been written."""
    try:
        return urlsplit(url)
    except ValueError:
        raise SettingsError(form) from None


def _is_endpoint(url: str) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    is_named = parts.scheme in {"http", "https"} and bool(parts.hostname) and _port(parts) != 0
    return not url or is_named


def _port(parts: SplitResult) -> int | None:
    """Its port; 0 for one that is no number from 1 to 65535."""
    try:
        return parts.port
    except ValueError:
        return 0

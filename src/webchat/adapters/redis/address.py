"""Where a Redis is and how to log in, read from a URL; no password of it reaches a message."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from webchat.ports.bus import BusRefused

DEFAULT_PORT: Final = 6379
_FORMS: Final = "redis://, rediss:// (TLS) or unix://"
_OPTIONS: Final = frozenset(
    {"db", "ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_check_hostname", "ssl_cert_reqs"}
)


@dataclass(frozen=True, slots=True)
class Address:
    """One Redis. `path`: of a Unix socket, "" for TCP. As text it shows no credentials."""

    host: str
    port: int
    path: str
    db: int
    username: str
    password: str = field(repr=False)
    tls: ssl.SSLContext | None

    def __str__(self) -> str:
        """Where it is, for people."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return self.path or f"{host}:{self.port}"

    @classmethod
    def of(cls, url: str) -> Address:
        """Read `redis[s]://[user:password@]host[:port][/db]` or `unix://[…@]/path[?db=n]`.

        TLS has the options of redis-py: `ssl_ca_certs`, `ssl_certfile`, `ssl_keyfile` (paths),
        `ssl_check_hostname=false`, `ssl_cert_reqs=none`. Raises BusRefused.
        """
        parts = _split(url)
        if parts.scheme not in {"redis", "rediss", "unix"}:
            raise BusRefused(f"A Redis is named by {_FORMS}, not by {parts.scheme or 'that'!r}.")
        options = _options(parts)
        is_unix = parts.scheme == "unix"
        return cls(
            host=parts.hostname or "localhost",
            port=_port(parts),
            path=unquote(parts.path) if is_unix else "",
            db=_database(options.get("db") or ("" if is_unix else parts.path.strip("/"))),
            username=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
            tls=_tls(options) if parts.scheme == "rediss" else None,
        )


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        (parts.hostname or "").encode("idna")
    except ValueError:
        raise BusRefused("The host in the Redis URL is not well formed.") from None
    return parts


def _options(parts: SplitResult) -> dict[str, str]:
    options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    unknown = sorted(options.keys() - _OPTIONS)
    if unknown:
        raise BusRefused(
            f"A Redis URL has no option {unknown[0]!r}; known: {', '.join(sorted(_OPTIONS))}."
        )
    return options


def _port(parts: SplitResult) -> int:
    try:
        return parts.port or DEFAULT_PORT
    except ValueError:
        raise BusRefused("The port in the Redis URL is no number from 1 to 65535.") from None


def _database(text: str) -> int:
    if not text:
        return 0
    if not text.isdecimal():
        raise BusRefused(f"The database in the Redis URL is a number, not {text!r}.")
    return int(text)


def _tls(options: dict[str, str]) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=options.get("ssl_ca_certs"))
        if certificate := options.get("ssl_certfile"):
            context.load_cert_chain(certificate, options.get("ssl_keyfile"))
    except OSError as error:
        raise BusRefused(f"The TLS files in the Redis URL cannot be read: {error}.") from error
    if options.get("ssl_check_hostname", "").lower() in {"false", "0", "no"}:
        context.check_hostname = False
    if options.get("ssl_cert_reqs") == "none":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context

"""Writes docs/settings.md, the reference of all settings, from the fields of `Settings`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import Field, fields
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

from webchat.config import Settings, env_name, option_name

TARGET = Path(__file__).parent.parent / "docs" / "settings.md"

_HEAD = """# Settings

Each is an option of `webchat serve` and an environment variable; the option wins. The unit is in
the name. In a variable several values of a repeatable one are separated by blanks, and what is off
is turned on by `true`. Made from `src/webchat/config/settings.py` by `make docs`.
"""
_TABLE = """
## {}

| option | variable | default | meaning |
|---|---|---|---|
"""
_SECTIONS = {
    "host": "Where it serves, and with whom",
    "text_bytes": "What clients may send, and what is kept for them",
    "rate_events_per_s": "Rates",
    "argon2_memory_kib": "Passwords",
    "ping_interval_ms": "Times of connections, receipts and logins",
    "bus_ack_timeout_ms": "The bus and Redis",
    "compare_interval_ms": "What the bus did not bring",
    "lease_ms": "Other nodes",
    "sqlite_gather_ms": "SQLite",
    "postgresql_read_connections": "PostgreSQL",
    "dynamodb_inline_bytes": "DynamoDB",
}
"""By the setting that each begins with."""


def reference() -> str:
    """The page as Markdown."""
    return _HEAD + "".join(_rows())


def _rows() -> Iterator[str]:
    for spec in fields(Settings):
        if spec.name in _SECTIONS:
            yield _TABLE.format(_SECTIONS[spec.name])
        yield (
            f"| `{option_name(spec.name)}` | `{env_name(spec.name)}` | {_default(spec)} "
            f"| {spec.metadata['help']}{_bounds(spec)}{_values(spec)} |\n"
        )


def _default(spec: Field[Any]) -> str:
    if spec.default in (None, "", ()):
        return "none"
    return "off" if spec.default is False else f"`{spec.default}`"


def _bounds(spec: Field[Any]) -> str:
    least, most = spec.metadata.get("least"), spec.metadata.get("most")
    if most is not None:
        return f" ({least} to {most})"
    return f" (at least {least})" if least is not None else ""


def _values(spec: Field[Any]) -> str:
    hint = get_type_hints(Settings)[spec.name]
    if get_origin(hint) is not Literal:
        return ""
    return f" ({', '.join(f'`{value}`' for value in get_args(hint))})"


if __name__ == "__main__":
    TARGET.write_text(reference(), encoding="utf-8")

"""`webchat store`, `check`, `backup` and `restore`: the store itself, beside who serves it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from webchat.cli.options import settings_options
from webchat.config import Settings, SettingsError
from webchat.errors import Code, WebchatError
from webchat.ports.store import StoreRefused

if TYPE_CHECKING:
    from webchat.ports.store import Store

place = settings_options(("data", "store"))
"""Options that say which store is meant."""

place_and_mode = settings_options(("data", "store", "open"))
"""The same, and in which mode it was made."""

_INSTEAD_OF_BACKUP = {
    "postgresql": "copy a PostgreSQL database with pg_dump",
    "dynamodb": "copy a table by DynamoDB's own backups",
}

_INSTEAD_OF_RESTORE = {
    "postgresql": "fill a PostgreSQL database with pg_restore",
    "dynamodb": "restore a table by DynamoDB's own backups",
}


@click.command(short_help="Copy a SQLite store, also while it is served.")
@click.argument("target", type=click.Path(dir_okay=False, path_type=Path))
@place
def backup(target: Path, **where: Any) -> None:
    """Copy a SQLite store to TARGET, a new file, while it is being served.

    Example: webchat backup ~/monday.db
    """
    settings = Settings(**where)
    if settings.store_kind != "sqlite":
        instead = _INSTEAD_OF_BACKUP[settings.store_kind]
        raise SettingsError(f"backup copies SQLite stores; {instead}, or use webchat export")
    from webchat.adapters import sqlite

    sqlite.backup(settings.sqlite_path(), target)
    click.echo(f"copied to {target}")


@click.command(short_help="Put a backup in the place of a SQLite store.")
@click.argument("backup", type=click.Path(path_type=Path))
@place
def restore(backup: Path, **where: Any) -> None:
    """Put BACKUP, a copy of a SQLite store, where the store is, while nobody serves it.

    What was there is kept beside it, under a name that is said.

    Example: webchat restore ~/monday.db --data ./data
    """
    settings = Settings(**where)
    if settings.store_kind != "sqlite":
        instead = _INSTEAD_OF_RESTORE[settings.store_kind]
        raise SettingsError(f"restore puts back SQLite stores; {instead}, or use webchat import")
    from webchat.adapters import sqlite

    target = settings.sqlite_path()
    kept = sqlite.restore(backup, target, time.strftime(".before-%Y%m%d-%H%M%S"))
    click.echo(f"restored {target} from {backup}")
    if kept is not None:
        click.echo(f"what was there is kept as {kept}")


@click.command(short_help="Look for damage in a store, and for broken promises.")
@place_and_mode
def check(**where: Any) -> int:
    """Check the store and the promises of its logs; exit with 1 if something is wrong.

    Example: webchat check --data ./data
    """
    settings = Settings(**where)
    findings = _findings(settings)
    for finding in findings:
        click.echo(finding)
    name = settings.store_name
    click.echo(f"{name}: {len(findings)} findings" if findings else f"{name}: sound")
    return 1 if findings else 0


def _findings(settings: Settings) -> Sequence[str]:
    """What the vendor knows to look for, else what can be seen through the ports."""
    if settings.store_kind == "sqlite":
        from webchat.adapters import sqlite

        # A file is read the same in either mode: what was not said need not be right.
        return sqlite.check(settings.sqlite_path(), "open" if settings.open else None)
    return asyncio.run(_findings_by_ports(settings))


async def _findings_by_ports(settings: Settings) -> Sequence[str]:
    from webchat.service.soundness import findings

    async with opened_store(settings) as opened:
        return [finding async for finding in findings(opened)]


@click.group()
def store() -> None:
    """Make the store ready. Example: webchat store init --data ./data"""


@store.command(short_help="Make or update the store's schema.")
@place_and_mode
def init(**where: Any) -> None:
    """Make or update the store's schema; harmless where it is up to date.

    Example: webchat store init --store sqlite:///srv/webchat.db
    """
    settings = Settings(**where)
    asyncio.run(_init(settings))
    click.echo(f"{settings.store_name}: ready")


@store.command(short_help="Give the nodes another key, while they serve.")
@settings_options(("data", "store", "open", "lease_ms"))
def rotate_key(**where: Any) -> None:
    """Put a new key in the place of the one that nodes sign with what they pass on to each other.

    They go on serving, and see it by themselves; it takes two leases of the nodes. If it is
    interrupted, do it again.

    Example: webchat store rotate-key --store postgresql://webchat@10.0.0.5/webchat
    """
    settings = Settings(**where)
    if settings.store_kind == "sqlite":
        raise SettingsError("one process serves a SQLite store: there is no key that nodes share")
    asyncio.run(_rotate_key(settings))
    click.echo(f"{settings.store_name}: the nodes have another key")


async def _rotate_key(settings: Settings) -> None:
    from webchat.adapters.memory import LoopClock
    from webchat.service.node_keys import rotate

    async with opened_store(settings) as opened:
        await rotate(opened.nodes, LoopClock(), settings.lease_ms)


async def _init(settings: Settings) -> None:
    from webchat.app.vendors import init_schema

    await init_schema(settings)
    async with opened_store(settings):
        pass


@asynccontextmanager
async def opened_store(settings: Settings, *, alone: bool = False) -> AsyncIterator[Store]:
    """The store, open for a command, whether or not servers serve it; `alone`: a SQLite store is
    refused if one does. Raises StoreRefused, and as such what SQLite says of its file meanwhile."""
    from webchat.adapters.memory import LoopClock
    from webchat.app.vendors import store_beside, store_of

    opened = (store_of if alone else store_beside)(settings, LoopClock())
    await opened.open(settings.mode)
    try:
        yield opened
    except WebchatError as error:
        if settings.store_kind == "sqlite" and error.code is Code.UNAVAILABLE and error.__cause__:
            raise StoreRefused(
                f"{settings.store_name} does not answer: {error.__cause__}; "
                "webchat check says whether it is damaged"
            ) from error
        raise
    finally:
        await opened.close()


@asynccontextmanager
async def existing_store(settings: Settings) -> AsyncIterator[Store]:
    """The same, but a SQLite store has to be there; others are made by `store init` alone."""
    if settings.store_kind == "sqlite":
        from webchat.adapters import sqlite

        sqlite.check_exists(settings.sqlite_path())
    async with opened_store(settings) as opened:
        yield opened

"""`webchat backup`, `webchat check`, `webchat store init`: the store as a file; beside a server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from webchat.cli.options import settings_options
from webchat.config import Settings

if TYPE_CHECKING:
    from webchat.adapters.sqlite import SqliteStore

place = settings_options(("data", "store"))
"""Options that say which store is meant."""


@click.command()
@click.argument("target", type=click.Path(dir_okay=False, path_type=Path))
@place
def backup(target: Path, **where: Any) -> None:
    """Copy the store to TARGET, a new file, while it is being served.

    Example: webchat backup /var/backups/webchat-monday.db
    """
    from webchat.adapters import sqlite

    sqlite.backup(Settings(**where).sqlite_path(), target)
    click.echo(f"copied to {target}")


@click.command()
@place
def check(**where: Any) -> int:
    """Check the store and the promises of its logs; exit with 1 if something is wrong.

    Example: webchat check --data ./data
    """
    from webchat.adapters import sqlite

    path = Settings(**where).sqlite_path()
    findings = sqlite.check(path)
    for finding in findings:
        click.echo(finding)
    click.echo(f"{path}: {len(findings)} findings" if findings else f"{path}: sound")
    return 1 if findings else 0


@click.group()
def store() -> None:
    """Make the store ready. Example: webchat store init --data ./data"""


@store.command()
@settings_options(("data", "store", "open"))
def init(**where: Any) -> None:
    """Make or update the store's schema; harmless where it is up to date.

    Example: webchat store init --store sqlite:///srv/webchat.db
    """
    settings = Settings(**where)
    asyncio.run(_init(settings))
    click.echo(f"{settings.sqlite_path()}: ready")


async def _init(settings: Settings) -> None:
    async with store_beside(settings):
        pass


@asynccontextmanager
async def store_beside(settings: Settings) -> AsyncIterator[SqliteStore]:
    """The store, open for a command, whether or not a server serves it. Raises StoreRefused."""
    from webchat.adapters.memory import LoopClock
    from webchat.adapters.sqlite import SqliteSettings, SqliteStore

    opened = SqliteStore.beside(settings.sqlite_path(), SqliteSettings(), LoopClock())
    await opened.open("open" if settings.open else "secured")
    try:
        yield opened
    finally:
        await opened.close()

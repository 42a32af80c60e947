"""`webchat export` and `import`: all of a store as a file, from any store into any empty one."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from webchat.cli.store import existing_store, opened_store, place, place_and_mode
from webchat.config import Settings

if TYPE_CHECKING:
    from webchat.service.transfer import Summary

_STREAM = Path("-")
_file = click.Path(dir_okay=False, allow_dash=True, path_type=Path)


@click.command(short_help="Write all that a store keeps to a file.")
@click.argument("target", metavar="FILE", type=_file)
@place_and_mode
def export(target: Path, **where: Any) -> None:
    """Write all that the store keeps to FILE, a new file, or to standard output (-).

    What is changed meanwhile may be in it or not. It holds messages, and passwords as hashes.

    Example: webchat export --data ./data webchat.jsonl
    """
    settings = Settings(**where)
    with _written(target) as write:
        summary = asyncio.run(_export(settings, write))
    click.echo(f"{settings.store_name}: exported {_words(summary)}", err=True)


@click.command(name="import", short_help="Fill an empty store from such a file.")
@click.argument("source", metavar="FILE", type=_file)
@place
def import_(source: Path, **where: Any) -> None:
    """Fill an empty store with what FILE, or standard input (-), holds of an export.

    The store gets the mode of the one that was exported. All is read back and compared.

    Example: webchat import --store postgresql://webchat@localhost/webchat webchat.jsonl
    """
    settings = Settings(**where)
    with _read(source) as lines:
        summary = asyncio.run(_import(settings, lines))
    click.echo(f"{settings.store_name}: imported {_words(summary)}", err=True)


async def _export(settings: Settings, write: Callable[[bytes], object]) -> Summary:
    from webchat.service.transfer import export

    with _writable(settings) as place:
        async with existing_store(place) as store:
            return await export(store, settings.mode, write)


async def _import(settings: Settings, lines: Iterator[bytes]) -> Summary:
    from webchat.service.transfer import import_, read_header

    first = next(lines, b"")
    settings = replace(settings, open=read_header(first).mode == "open")
    async with opened_store(settings, alone=True) as store:
        return await import_(store, settings.mode, chain([first], lines))


@contextmanager
def _writable(settings: Settings) -> Iterator[Settings]:
    """The store, or a copy of an SQLite one where nothing can be written: to be read, what its
    journal holds has to go into its tables."""
    if settings.store_kind != "sqlite":
        yield settings
        return
    from webchat.adapters import sqlite

    path = settings.sqlite_path()
    sqlite.check_exists(path)
    if sqlite.can_be_written(path):
        yield settings
        return
    sqlite.check_not_older(path)
    with TemporaryDirectory() as directory:
        copy = Path(directory) / "webchat.db"
        sqlite.backup(path, copy)
        yield replace(settings, store="", data=copy.parent)


@contextmanager
def _written(target: Path) -> Iterator[Callable[[bytes], object]]:
    """How to write to a new file that nobody else can read, which is gone again if that fails."""
    try:
        if target == _STREAM:
            if not sys.stdout:
                raise click.ClickException("standard output is closed")
            yield sys.stdout.buffer.write
            sys.stdout.buffer.flush()
        else:
            with _made(target) as file:
                yield file.write
                file.flush()
                os.fsync(file.fileno())
    except FileExistsError as error:
        raise click.ClickException(f"{target} exists; an export does not overwrite") from error
    except OSError as error:
        name = "standard output" if target == _STREAM else target
        raise click.ClickException(f"{name} cannot be written: {error.strerror}") from error


@contextmanager
def _made(target: Path) -> Iterator[BinaryIO]:
    """A new file, which is gone again if what is done with it fails. Raises OSError."""
    with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        try:
            yield file
        except BaseException:
            target.unlink()
            raise


@contextmanager
def _read(source: Path) -> Iterator[Iterator[bytes]]:
    if source == _STREAM:
        if not sys.stdin:
            raise click.ClickException("standard input is closed")
        yield iter(sys.stdin.buffer)
        return
    try:
        file = source.open("rb")
    except OSError as error:
        raise click.ClickException(f"{source} cannot be read: {error.strerror}") from error
    with file:
        yield iter(file)


def _words(summary: Summary) -> str:
    kinds = [f"{tally.count} of {kind}" for kind, tally in sorted(summary.items())]
    return ", ".join(kinds) or "nothing"

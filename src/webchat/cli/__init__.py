"""The command `webchat`. Exit codes: 0 done, 1 refused or failed, 2 wrong options or values.

Whatever is slow to import is imported by the command that needs it, so that `--help` is quick.
"""

from __future__ import annotations

import io
import logging
import os
import sys
from collections.abc import Sequence
from typing import Final

import click

from webchat import __version__
from webchat.cli.complaints import exit_code
from webchat.cli.serve import serve
from webchat.cli.store import backup, check, restore, store
from webchat.cli.transfer import export, import_
from webchat.cli.user import user

_STANDARD_ERROR: Final = 2


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 done, 1 refused or failed, 2 wrong options or values.",
)
@click.version_option(__version__, prog_name="webchat", message="%(prog)s %(version)s")
def cli() -> None:
    """A chat server and web client that never lose a message.

    Example: webchat serve, then open http://127.0.0.1:4000/
    """


@cli.command()
def version() -> None:
    """Print the version. Example: webchat version"""
    click.echo(f"webchat {__version__}")


for command in (serve, user, backup, restore, check, export, import_, store):
    cli.add_command(command)


def main(args: Sequence[str] | None = None) -> None:
    """Run the command and exit; what went wrong is one line on standard error."""
    _have_standard_files()
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A name that the terminal cannot show is shown by its code points.
        sys.stdout.reconfigure(errors="backslashreplace")
    # Where nothing configures logs, Python would write them beside that line.
    logging.getLogger("webchat").addHandler(logging.NullHandler())
    sys.exit(exit_code(lambda: cli.main(args, prog_name="webchat", standalone_mode=False)))


def _have_standard_files() -> None:
    """Have something at the three lowest numbers of files. Where one was closed, the next file that
    is opened would be taken for standard output or error, and libuv aborts when it closes it."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= _STANDARD_ERROR:
        pass
    os.close(number)

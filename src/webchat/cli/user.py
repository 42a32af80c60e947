"""`webchat user`: accounts from a terminal, beside a server, which sees the change in a second."""

from __future__ import annotations

import click


@click.group()
def user() -> None:
    """Add accounts, set passwords, disable and list."""

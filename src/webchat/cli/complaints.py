"""What went wrong, as one line on standard error and an exit code."""

from __future__ import annotations

from collections.abc import Callable

import click

from webchat.config import SettingsError
from webchat.errors import WebchatError
from webchat.ports.bus import BusRefused
from webchat.ports.nodes import NodeRefused
from webchat.ports.store import StoreRefused

FAILED = 1
MISUSED = 2


def exit_code(act: Callable[[], int | None]) -> int:
    """That of `act`; what it raises for people to read is written. Raises what is a fault."""
    try:
        return act() or 0
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        return MISUSED
    except click.ClickException as error:
        return _complain(error.format_message(), error.exit_code)
    except SettingsError as error:
        return _complain(str(error), MISUSED)
    except (StoreRefused, BusRefused, NodeRefused, WebchatError) as error:
        return _complain(str(error), FAILED)
    except OSError as error:
        return _complain(_words(error), FAILED)
    except (click.Abort, KeyboardInterrupt):
        return _complain("stopped", FAILED)


def _words(error: OSError) -> str:
    """What the system says, without its number."""
    reason = error.strerror or str(error)
    return f"{error.filename} cannot be used: {reason}" if error.filename else reason


def _complain(message: str, code: int) -> int:
    click.echo("webchat: " + " ".join(message.split()), err=True)
    return code

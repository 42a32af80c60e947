"""`webchat serve`: settings in, the server's exit code out."""

from __future__ import annotations

import sys
from typing import Any

import click

from webchat.cli.complaints import exit_code
from webchat.cli.options import settings_options, unknown_variables
from webchat.config import Settings, SettingsError, contradictions


@click.command(
    epilog="Each option can be set by an environment variable, too: WEBCHAT_PORT for --port. "
    "A repeatable one takes its values from there separated by blanks."
)
@settings_options()
def serve(**values: Any) -> int:
    """Serve chat, REST and the web client until SIGTERM or Ctrl-C.

    Example: webchat serve --port 4000 --data ./data
    """
    settings = Settings(**values)
    for problem in contradictions(settings):
        raise SettingsError(problem)
    return _serve(settings)


def _serve(settings: Settings) -> int:
    import structlog
    import uvloop

    from webchat import logs
    from webchat.app.open_files import allow_open_files
    from webchat.app.serve import run

    logs.configure(sys.stderr, settings.log_level)
    if unknown := unknown_variables():
        structlog.get_logger().warning("environment variables that are no settings", names=unknown)
    allow_open_files()
    if settings.open:
        structlog.get_logger().warning(
            "open mode: nobody logs in, whoever can connect can be any user",
            reachable="from this machine" if settings.is_loopback else "from the network",
        )
    if settings.workers == 1:
        return uvloop.run(run(settings))
    from webchat.app.workers import Workers

    return Workers(
        settings,
        lambda own, lifeline: exit_code(lambda: uvloop.run(run(own, lifeline))),
    ).run()

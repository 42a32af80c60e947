"""`webchat` and `python -m webchat`: the command."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command and exit. Ctrl-C while it is being imported ends it without a traceback."""
    try:
        from webchat import cli
    except KeyboardInterrupt:
        sys.exit("webchat: stopped")
    cli.main()


if __name__ == "__main__":
    main()

"""`webchat` and `python -m webchat`: the command."""

from __future__ import annotations

from webchat.cli import main

if __name__ == "__main__":
    main()

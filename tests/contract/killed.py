"""What a process that serves an SQLite store leaves when it is killed."""

from __future__ import annotations

import shutil
from pathlib import Path


def as_if_killed(path: Path) -> Path:
    """A copy of the store as a process that serves it would leave it if it was killed now."""
    for name in ("webchat.db", "webchat.db-wal"):
        shutil.copy(path.with_name(name), path.with_name(name.replace("webchat", "killed")))
    return path.with_name("killed.db")

"""Stores that are made for measurements are such as a server could have made."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bench.stores import Contents, LongTalk, Talks, copy_of

STORES: list[Contents] = [
    Talks("secured", users=3, friends=4, entries=2, bystanders=2),
    Talks("open", users=2, friends=5, entries=1),
    LongTalk("secured", entries=30),
]


@pytest.mark.parametrize("contents", STORES, ids=str)
def test_nothing_is_wrong_with_a_store_that_is_made_at_once(
    tmp_path: Path, contents: Contents
) -> None:
    copy_of(contents)(tmp_path)
    command = [sys.executable, "-m", "webchat", "check", "--data", str(tmp_path)]
    checked = subprocess.run(command, check=False, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr

"""The wheel carries the web client, and building without npm says what is missing."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


def source_tree(target: Path, *ignored: str) -> Path:
    """A copy of what a wheel is built of, so that no build touches the checkout's web/."""
    target.mkdir()
    for name in ("pyproject.toml", "hatch_build.py", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, target)
    shutil.copytree(ROOT / "src", target / "src", ignore=shutil.ignore_patterns(*ignored))
    (target / "web").mkdir()
    return target


def build(tree: Path, target: Path, path: str) -> subprocess.CompletedProcess[str]:
    """Build a wheel of `tree` into `target`, with `path` as the PATH."""
    return subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(target)],
        cwd=tree,
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[zipfile.ZipFile]:
    assert (ROOT / "src/webchat/static/index.html").exists(), "build the client first: make web"
    place = tmp_path_factory.mktemp("wheel")
    built = build(source_tree(place / "tree"), place / "dist", "/nowhere")
    assert built.returncode == 0, built.stderr
    (path,) = (place / "dist").glob("webchat-*-py3-none-any.whl")
    with zipfile.ZipFile(path) as archive:
        yield archive


def test_the_wheel_carries_the_built_web_client(wheel: zipfile.ZipFile) -> None:
    assert b"<script" in wheel.read("webchat/static/index.html")
    assets = {Path(name).suffix for name in wheel.namelist() if "/static/assets/" in name}
    assert {".js", ".css"} <= assets


def test_the_wheel_carries_the_licences_of_what_is_in_the_web_client(
    wheel: zipfile.ZipFile,
) -> None:
    notices = wheel.read("webchat/static/THIRD-PARTY.txt").decode()
    for name in ("socket.io-client", "socket.io-parser", "engine.io-client", "svelte"):
        assert re.search(rf"^{re.escape(name)} \d\S* \(MIT\)$", notices, re.MULTILINE)
    assert notices.count("Permission is hereby granted") >= 4
    (metadata,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    said = re.findall(r"^License-File: (.+)$", wheel.read(metadata).decode(), re.MULTILINE)
    assert [Path(name).name for name in said] == ["LICENSE", "THIRD-PARTY.txt"]


def test_the_wheel_carries_types_and_the_command_and_nothing_else(wheel: zipfile.ZipFile) -> None:
    names = wheel.namelist()
    assert "webchat/py.typed" in names
    (about,) = {name.split("/")[0] for name in names} - {"webchat"}
    assert b"webchat = webchat" in wheel.read(f"{about}/entry_points.txt")


def test_building_without_npm_names_what_is_missing(tmp_path: Path) -> None:
    tree = source_tree(tmp_path / "tree", "static")
    built = build(tree, tmp_path / "dist", "/nowhere")
    assert built.returncode != 0
    assert "needs npm" in built.stderr

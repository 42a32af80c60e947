"""The wheel carries the web client, and building without npm says what is missing."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
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


def build(
    tree: Path, target: Path, path: str, kind: str = "wheel"
) -> subprocess.CompletedProcess[str]:
    """Build a wheel, or an sdist, of `tree` into `target`, with `path` as the PATH."""
    return subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(target)],
        cwd=tree,
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


def put_npm(folder: Path) -> None:
    """An npm that makes a page and its notices at once, whatever it is told to do."""
    folder.mkdir()
    npm = folder / "npm"
    made = "../src/webchat/static"
    npm.write_text(
        f"#!/bin/sh\nmkdir -p {made}\n"
        f"echo '<script>' > {made}/index.html\necho MIT > {made}/THIRD-PARTY.txt\n",
        encoding="utf-8",
    )
    npm.chmod(0o755)


def licences(wheel: zipfile.ZipFile) -> list[str]:
    """The names of the files that its metadata calls licences; they are in it."""
    (metadata,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    said = re.findall(r"^License-File: (.+)$", wheel.read(metadata).decode(), re.MULTILINE)
    for name in said:
        assert wheel.read(f"{Path(metadata).parent}/licenses/{name}")
    return [Path(name).name for name in said]


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
    assert licences(wheel) == ["LICENSE", "THIRD-PARTY.txt"]


def test_so_does_one_whose_web_client_is_built_on_the_way(tmp_path: Path) -> None:
    tree = source_tree(tmp_path / "tree", "static")
    put_npm(tmp_path / "bin")
    built = build(tree, tmp_path / "dist", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    assert built.returncode == 0, built.stderr
    (path,) = (tmp_path / "dist").glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        assert licences(archive) == ["LICENSE", "THIRD-PARTY.txt"]
        assert archive.read("webchat/static/index.html") == b"<script>\n"


def test_an_sdist_carries_what_a_wheel_is_made_of_and_nothing_else(tmp_path: Path) -> None:
    tree = source_tree(tmp_path / "tree")
    for name in ("tests/web", "bench/peer/src"):
        (tree / name).mkdir(parents=True)
        (tree / name / "more.txt").touch()
    (tree / "web" / "package.json").touch()
    built = build(tree, tmp_path / "dist", "/nowhere", "sdist")
    assert built.returncode == 0, built.stderr
    (path,) = (tmp_path / "dist").glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = [Path(*Path(name).parts[1:]) for name in archive.getnames()]
    assert {name.parts[0] for name in names} == {
        "src", "web", "hatch_build.py", "pyproject.toml", "README.md", "LICENSE", "PKG-INFO",
    }  # fmt: skip
    assert Path("web/package.json") in names


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

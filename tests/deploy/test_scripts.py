"""What a fresh machine lacks is said at once, and in words that help."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "scripts"


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A folder for PATH with what scripts are made of, and neither Node nor npm."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("bash", "env", "sort", "tr", "make", "find", "dirname", "touch"):
        found = shutil.which(name)
        assert found is not None
        (folder / name).symlink_to(found)
    return folder


def put(folder: Path, name: str, says: str) -> None:
    """A program of that name that says something."""
    program = folder / name
    program.write_text(f"#!/bin/sh\necho {says}\n", encoding="utf-8")
    program.chmod(0o755)


def run(*command: str | Path, tools: Path, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={"PATH": str(tools), "HOME": os.environ.get("HOME", "/")},
        capture_output=True,
        text=True,
        check=False,
    )


def test_without_node_it_is_said_which_is_needed(tools: Path) -> None:
    done = run(SCRIPTS / "need-node", "20.19", tools=tools)
    assert done.returncode == 1
    assert "needs Node 20.19 or newer (found: none)" in done.stderr


@pytest.mark.parametrize("version", ["18.20.4", "20.18.3", "20.9.0"])
def test_a_node_that_is_too_old_is_named(tools: Path, version: str) -> None:
    put(tools, "node", f"v{version}")
    put(tools, "npm", "9.2.0")
    done = run(SCRIPTS / "need-node", "20.19", tools=tools)
    assert done.returncode == 1
    assert f"found: {version}" in done.stderr


@pytest.mark.parametrize("version", ["20.19.0", "20.20.2", "22.0.0", "100.1.0"])
def test_a_node_that_is_new_enough_is_taken_if_it_comes_with_npm(tools: Path, version: str) -> None:
    put(tools, "node", f"v{version}")
    without_npm = run(SCRIPTS / "need-node", "20.19", tools=tools)
    assert without_npm.returncode == 1
    assert "no npm" in without_npm.stderr
    put(tools, "npm", "10.8.2")
    assert run(SCRIPTS / "need-node", "20.19", tools=tools).returncode == 0


def test_make_run_looks_for_node_before_it_downloads_anything(tools: Path, tmp_path: Path) -> None:
    fresh = tmp_path / "checkout"
    fresh.mkdir()
    for name in ("Makefile", "pyproject.toml", "hatch_build.py"):
        shutil.copy(ROOT / name, fresh)
    for name in ("scripts", "requirements"):
        shutil.copytree(ROOT / name, fresh / name)
    (fresh / "web").mkdir()
    shutil.copy(ROOT / "web" / "package-lock.json", fresh / "web")
    (fresh / ".venv" / "bin").mkdir(parents=True)
    for name in ("pip", "python"):
        put(fresh / ".venv" / "bin", name, "downloaded")
    done = run("make", "run", tools=tools, cwd=fresh)
    assert done.returncode != 0
    assert "needs Node" in done.stderr
    assert "downloaded" not in done.stdout


def test_make_asks_for_the_node_that_the_web_client_asks_for() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    package = (ROOT / "web" / "package.json").read_text(encoding="utf-8")
    (wanted,) = re.findall(r'"node": ">=([\d.]+)"', package)
    assert re.findall(r"^NODE_VERSION := (\S+)$", makefile, re.MULTILINE) == [wanted]


def test_make_help_lists_what_the_readme_shows(tools: Path) -> None:
    for name in ("sed", "expand"):
        found = shutil.which(name)
        assert found is not None
        (tools / name).symlink_to(found)
    listed = run("make", "help", tools=tools).stdout
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for names in re.findall(r"^\| `make ([^`]+)`", readme, re.MULTILINE):
        for name in names.split():
            if "=" not in name:
                assert re.search(rf"^ +make {name} +\S", listed, re.MULTILINE), name

"""The command itself: help, versions, exit codes, one-line complaints."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.cli.conftest import Run, ended_of
from webchat import __version__
from webchat.cli import cli


@pytest.mark.parametrize("args", [["version"], ["--version"]])
def test_it_says_its_version(run: Run, args: list[str]) -> None:
    assert run(*args) == (0, f"webchat {__version__}\n", "")


def test_help_names_every_command_with_one_sentence(run: Run) -> None:
    code, out, _ = run("--help")
    assert code == 0
    for name in cli.commands:
        assert f"  {name} " in out


@pytest.mark.parametrize("group", [[], ["user"], ["store"]], ids=repr)
def test_the_lists_of_commands_cut_no_sentence_off(run: Run, group: list[str]) -> None:
    _, out, _ = run(*group, "--help")
    _, _, listed = out.partition("Commands:")
    assert "  " in listed
    assert "..." not in listed


@pytest.mark.parametrize("name", sorted(cli.commands))
def test_each_command_explains_itself_with_an_example(run: Run, name: str) -> None:
    code, out, _ = run(name, "--help")
    assert code == 0
    assert f"Example: webchat {name}" in out


@pytest.mark.parametrize(
    "args",
    [
        ["serve", "--port", "high"],
        ["serve", "--port", "70000"],
        ["serve", "--no-such-option"],
        ["serve", "--workers", "4"],
        ["serve", "--store", "mysql://a/b"],
        ["serve", "--data", ""],
        ["user", "list", "--data", ""],
        ["nothing"],
        ["backup"],
    ],
)
def test_misuse_is_one_line_on_standard_error_and_exit_code_2(run: Run, args: list[str]) -> None:
    code, out, err = run(*args)
    assert (code, out) == (2, "")
    assert err.startswith("webchat: ")
    assert err.count("\n") == 1


def test_a_bad_environment_variable_is_refused_by_its_name(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEBCHAT_RATE_BURST", "many")
    code, _, err = run("serve")
    assert code == 2
    assert "WEBCHAT_RATE_BURST" in err


def test_help_imports_nothing_heavy() -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", "import sys, webchat.cli; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    heavy = {"uvicorn", "uvloop", "starlette", "structlog", "sqlite3", "argon2"}
    assert heavy.isdisjoint(loaded)


def test_ctrl_c_while_the_command_is_imported_is_no_traceback() -> None:
    pressed = """
import sys
class Terminal:
    def find_spec(self, name, *_):
        if name == "webchat.cli":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Terminal())
from webchat.__main__ import main
main()
"""
    ended = ended_of("-c", pressed)
    assert (ended.returncode, ended.stderr) == (1, "webchat: stopped\n")

"""The documents agree with the code: settings, error codes, kinds of events, links, commands."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from bench import scale
from scripts.settings_reference import TARGET, reference
from webchat.cli import cli
from webchat.errors import Closing, Code

ROOT = Path(__file__).parent.parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
PROTOCOL = (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")
OPERATIONS = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")

_LINK = re.compile(r"\]\((?!https?:|mailto:|#)([^)#\s]+)")
_FENCE = re.compile(r"```(?:sh|bash|console|shell)\n(.*?)```", re.DOTALL)


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def test_the_reference_of_settings_is_up_to_date() -> None:
    assert TARGET.read_text(encoding="utf-8") == reference(), "run make docs"


def test_the_table_of_scale_is_what_the_costs_make(capsys: pytest.CaptureFixture[str]) -> None:
    scale.main()
    page = (ROOT / "docs" / "scale.md").read_text(encoding="utf-8")
    assert capsys.readouterr().out in page, "run python -m bench.scale"


@pytest.mark.parametrize("code", [c.wire for c in Code] + [c.wire for c in Closing])
def test_each_error_code_is_documented(code: str) -> None:
    assert f"`{code}`" in PROTOCOL


@pytest.mark.parametrize(
    "kind",
    ["message", "delivery", "display", "conversation", "position", "receipts", "skip", "error"],
)
def test_each_kind_of_event_is_documented(kind: str) -> None:
    assert re.search(rf"\b{kind}\b", PROTOCOL)


def test_each_action_that_is_asked_of_dynamodb_is_among_the_permissions() -> None:
    client = ROOT / "src" / "webchat" / "adapters" / "dynamodb" / "client.py"
    called = set(re.findall(r"self\._client\.(\w+)", client.read_text(encoding="utf-8")))
    actions = {call.title().replace("_", "") for call in called - {"meta"}}
    assert {"GetItem", "Query"} < actions
    assert {action for action in actions if f"`{action}`" not in OPERATIONS} == set()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_to_files_that_exist(page: Path) -> None:
    for link in _LINK.findall(page.read_text(encoding="utf-8")):
        assert (page.parent / link).exists(), link


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_that_are_shown_can_be_parsed(page: Path) -> None:
    for words in shown_commands(page, "webchat"):
        parse(cli, words)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_make_targets_that_are_shown_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", MAKEFILE, re.MULTILINE))
    for words in shown_commands(page, "make"):
        assert {word for word in words if "=" not in word} <= targets
    for words in re.findall(r"`make ([a-z ]+)`", page.read_text(encoding="utf-8")):
        assert set(words.split()) <= targets


def shown_commands(page: Path, program: str) -> Iterator[list[str]]:
    """The arguments of each line of a page's shell blocks that runs `program`."""
    for block in _FENCE.findall(page.read_text(encoding="utf-8")):
        for line in block.replace("\\\n", " ").splitlines():
            words = shlex.split(line.removeprefix("$ "), comments=True)
            if words and Path(words[0]).name == program:
                yield words[1:]


def parse(command: click.Command, words: list[str]) -> None:
    """Parse as the command line would, without running. Raises click.UsageError."""
    if isinstance(command, click.Group) and words:
        known = command.commands.get(words[0])
        assert known is not None, words
        parse(known, words[1:])
        return
    command.make_context("webchat", list(words))


def test_the_readme_names_how_to_run_and_how_to_test() -> None:
    assert "make run" in README
    assert "make test" in README


def test_each_document_is_in_the_index() -> None:
    index = ROOT / "docs" / "README.md"
    listed = _LINK.findall(index.read_text(encoding="utf-8"))
    documents = {page for page in (ROOT / "docs").rglob("*.md") if page != index}
    assert documents <= {(index.parent / link).resolve() for link in listed}


def test_the_changelog_has_a_place_for_what_comes() -> None:
    assert "## [Unreleased]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")

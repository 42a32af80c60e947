"""What documents and docstrings refer to exists: files, sections, members of classes."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TREES = ("src", "tests", "bench", "web/src", "docs", "deploy", "scripts", ".ci")
OF_OTHERS = {"Server.startup", "Server.errors"}  # uvicorn's, engine.io's

FILES = {
    str(file.relative_to(ROOT))
    for tree in TREES
    for file in (ROOT / tree).rglob("*.*")
    if "node_modules" not in file.parts
}
PAGES = sorted([*ROOT.glob("*.md"), ROOT / "bench" / "README.md", *(ROOT / "docs").rglob("*.md")])
SOURCES = sorted((ROOT / "src").rglob("*.py"))

_FILE = re.compile(r"`([\w./-]+\.(?:py|ts|svelte|lua|md|cfg|ya?ml))`")
_MEMBER = re.compile(r"`([A-Z][a-z]\w*\.\w+)`")
_SECTION = re.compile(r'docs/([\w/-]+\.md)(?:,\s+(?:"([^"]+)"|section (\d+)))?')


def members() -> set[str]:
    """`Class.member` of all classes of the product."""
    found: defaultdict[str, set[str]] = defaultdict(set)
    for source in SOURCES:
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                found[node.name].update(_names(node))
    return {f"{owner}.{name}" for owner, names in found.items() for name in names}


def _names(owner: ast.ClassDef) -> Iterator[str]:
    for node in owner.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id


def references() -> list[tuple[str, str, str, str]]:
    """Where code refers to documents: the place, the page, and the section's title or number."""
    return [
        (name, match[1], " ".join((match[2] or "").split()), match[3] or "")
        for name in sorted(FILES)
        if name.endswith((".py", ".ts", ".svelte", ".css"))
        for match in _SECTION.finditer((ROOT / name).read_text(encoding="utf-8"))
    ]


MEMBERS = members() | OF_OTHERS
REFERENCES = references()


def named(pattern: re.Pattern[str]) -> list[tuple[str, str]]:
    """What documents and the product's own code name in that form, and where."""
    return [
        (str(place.relative_to(ROOT)), match[1])
        for place in (*PAGES, *SOURCES)
        for match in pattern.finditer(place.read_text(encoding="utf-8"))
    ]


def test_files_that_are_named_exist() -> None:
    missing = [
        (place, file)
        for place, file in named(_FILE)
        if not any(f"/{known}".endswith(f"/{file}") for known in (*FILES, *_at_the_top()))
    ]
    assert missing == []


def test_members_of_classes_that_are_named_exist() -> None:
    assert [each for each in named(_MEMBER) if each[1] not in MEMBERS] == []


@pytest.mark.parametrize("page", sorted({page for _, page, _, _ in REFERENCES}))
def test_documents_and_sections_that_code_refers_to_exist(page: str) -> None:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    for place, of, title, number in REFERENCES:
        if of == page:
            assert not title or any(title in heading for heading in headings), (place, title)
            assert not number or any(heading.startswith(f"{number}.") for heading in headings), (
                place
            )


def _at_the_top() -> list[str]:
    return [file.name for file in ROOT.iterdir()]

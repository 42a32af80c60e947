"""A package without anything of its own to say is a map of its modules: each is on it, once."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "webchat"
MAPPED = ["adapters", "chat", "ports", "protocol", "service", "session", "transport"]
_NAMED = re.compile(r"^    (\w+)  ", re.MULTILINE)


def modules(package: Path) -> list[str]:
    """The modules and packages in a package."""
    files = [*package.glob("*.py"), *(init.parent for init in package.glob("*/__init__.py"))]
    return sorted(file.stem for file in files if file.stem != "__init__")


@pytest.mark.parametrize("name", MAPPED)
def test_each_module_of_a_package_is_named_in_its_map(name: str) -> None:
    described = (SOURCE / name / "__init__.py").read_text(encoding="utf-8")
    assert sorted(_NAMED.findall(described)) == modules(SOURCE / name)


def test_each_package_says_what_it_is() -> None:
    for init in SOURCE.rglob("__init__.py"):
        assert init.read_text(encoding="utf-8").startswith('"""'), init

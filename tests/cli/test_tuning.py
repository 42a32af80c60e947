"""The defaults of the parts are those of the settings: a part made alone behaves as when served."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from typing import Any

import pytest

from webchat import tuning
from webchat.config import Settings

TUNERS: list[Callable[[Settings], Any]] = [
    tuner for name, tuner in vars(tuning).items() if name.endswith("_settings")
]
NO_SETTINGS = {"version", "kept_cookie"}
"""What a part is told by the product, whatever its settings."""


@pytest.mark.parametrize("tuner", TUNERS, ids=lambda tuner: tuner.__name__)
def test_a_part_has_the_defaults_of_the_settings(tuner: Callable[[Settings], Any]) -> None:
    tuned = tuner(Settings())
    assert dict(values(tuned)) == dict(values(type(tuned)()))


def values(part: Any, where: str = "") -> Iterator[tuple[str, object]]:
    """Each field of a struct and of those in it, by its path."""
    for spec in fields(part):
        value, path = getattr(part, spec.name), f"{where}{spec.name}"
        if is_dataclass(value):
            yield from values(value, f"{path}.")
        elif spec.name not in NO_SETTINGS:
            yield path, value

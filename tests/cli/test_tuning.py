"""The defaults of the parts are those of the settings: a part made alone behaves as when served."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import MISSING, fields, is_dataclass, replace
from types import ModuleType
from typing import Any

import pytest

from webchat import tuning
from webchat.app.vendors import dynamodb, postgresql, redis, sqlite
from webchat.config import Settings

SETTINGS = Settings(store="dynamodb://eu-west-1/webchat")
Tuner = Callable[[Settings], Any]


def tuners_of(module: ModuleType) -> list[Any]:
    return [
        pytest.param(tuner, id=f"{module.__name__.rpartition('.')[2]}.{name}")
        for name, tuner in vars(module).items()
        if name.endswith("_settings")
    ]


TUNERS = [
    each for module in (tuning, dynamodb, postgresql, redis, sqlite) for each in tuners_of(module)
]
NO_SETTINGS = {"version", "kept_cookie", "people_per_event"}
"""What a part is told by the product, whatever its settings, or by the kind of its store."""


@pytest.mark.parametrize("tuner", TUNERS)
def test_a_part_has_the_defaults_of_the_settings(tuner: Tuner) -> None:
    tuned = tuner(SETTINGS)
    assert dict(values(tuned)) == dict(values(alone(tuned)))


@pytest.mark.parametrize(
    "longer", [{"bus_check_interval_s": 60}, {"bus_ping_interval_ms": 60_000}], ids=str
)
def test_the_later_an_outage_of_the_bus_is_noticed_the_more_counts_as_not_heard(
    longer: dict[str, Any],
) -> None:
    settings = replace(SETTINGS, **longer)
    for part in (tuning.chat_settings(settings).repair, redis.cache_settings(settings)):
        assert part.unnoticed_s > 60


def alone(part: Any) -> Any:
    """The struct with all its defaults; what has none is as in `part`."""
    has_none = [
        spec.name
        for spec in fields(part)
        if spec.default is MISSING and spec.default_factory is MISSING
    ]
    return type(part)(**{name: getattr(part, name) for name in has_none})


def values(part: Any, where: str = "") -> Iterator[tuple[str, object]]:
    """Each field of a struct and of those in it, by its path."""
    for spec in fields(part):
        value, path = getattr(part, spec.name), f"{where}{spec.name}"
        if is_dataclass(value):
            yield from values(value, f"{path}.")
        elif spec.name not in NO_SETTINGS:
            yield path, value


def test_lists_of_people_count_for_more_where_each_of_them_is_requests_to_a_table() -> None:
    counted = tuning.chat_settings(SETTINGS).chat.people_per_event
    assert counted < tuning.chat_settings(Settings()).chat.people_per_event

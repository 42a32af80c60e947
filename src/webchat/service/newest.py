"""Dicts that keep the newest alone."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TypeVar

_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value")


def put_newest(kept: dict[_Key, _Value], key: _Key, value: _Value, most: int) -> None:
    """Put `value` at the end of `kept`, also if `key` was in it; beyond `most` the oldest goes."""
    kept.pop(key, None)
    kept[key] = value
    if len(kept) > most:
        del kept[next(iter(kept))]

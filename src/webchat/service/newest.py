"""Dicts that keep the newest alone.

Ordered ones: where a `dict` begins is found by a walk over all that was taken from there."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import TypeVar

_Key = TypeVar("_Key", bound=Hashable)
_Value = TypeVar("_Value")


def put_newest(kept: OrderedDict[_Key, _Value], key: _Key, value: _Value, most: int) -> None:
    """Put `value` at the end of `kept`, also if `key` was in it; beyond `most` the oldest goes."""
    kept[key] = value
    kept.move_to_end(key)
    if len(kept) > most:
        kept.popitem(last=False)

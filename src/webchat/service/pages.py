"""Lists in pages: what a page is, and the bounds of what may be asked for."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from webchat.errors import Code, WebchatError
from webchat.model import Seq, is_group, pair_of
from webchat.ports.following import Activity

DEFAULT_LIMIT: Final = 50
MAX_LIMIT: Final = 200
MAX_SEARCH_CHARS: Final = 64
_MAX_SEQ: Final = 2**53

_Item = TypeVar("_Item")
_Key = TypeVar("_Key")


@dataclass(frozen=True, slots=True)
class Page(Generic[_Item, _Key]):
    """Some items of a list and what to ask for the next ones; None: there are none."""

    items: Sequence[_Item]
    next: _Key | None


def page_of(
    found: Sequence[_Item], count: int, key_of: Callable[[_Item], _Key]
) -> Page[_Item, _Key]:
    """The first `count` of what was `found`, which is more where there are more. `key_of`: what to
    ask for those after an item."""
    items = found[:count]
    return Page(items, key_of(items[-1]) if len(found) > count else None)


def clean_limit(limit: int) -> int:
    """How many items a page has: over 200 counts as 200. Below 1: WebchatError(BAD_REQUEST)."""
    if limit < 1:
        raise WebchatError(Code.BAD_REQUEST, "limit is at least 1.")
    return min(limit, MAX_LIMIT)


def check_after(after: str, is_id: Callable[[str], bool]) -> None:
    """The id of the last item that was had; "": none was. Raises WebchatError(BAD_REQUEST)."""
    if after and not is_id(after):
        raise WebchatError(Code.BAD_REQUEST, "after is not an id of this list.")


def clean_prefix(prefix: str) -> str:
    """What names that are searched for begin with, spaces around it left out. Raises
    WebchatError(BAD_REQUEST) over 64 characters."""
    text = prefix.strip()
    if len(text) > MAX_SEARCH_CHARS:
        raise WebchatError(Code.BAD_REQUEST, f"q has up to {MAX_SEARCH_CHARS} characters.")
    return text


def check_seq(seq: Seq) -> None:
    """A `Seq` to look from: 0 to 2^53. Raises WebchatError(BAD_REQUEST)."""
    if not 0 <= seq <= _MAX_SEQ:
        raise WebchatError(Code.BAD_REQUEST, "This is no Seq.")


def cursor_of(place: Activity) -> str:
    """A place in a list of conversations as an opaque text for the wire."""
    return base64.urlsafe_b64encode(f"{place.at}:{place.conv}".encode()).decode().rstrip("=")


def activity_of(cursor: str) -> Activity:
    """The place that `cursor_of` was given. Raises WebchatError(BAD_REQUEST)."""
    with suppress(ValueError):
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        at, _, conv = text.partition(":")
        if is_group(conv) or pair_of(conv) is not None:
            return Activity(int(at), conv)
    raise WebchatError(Code.BAD_REQUEST, "before is not a cursor of this list.")

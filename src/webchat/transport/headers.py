"""Header fields of a request, kept small: thousands of idle connections hold them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

_END: Final = b"\r\n"


class Headers(Mapping[str, str]):
    """Header fields by their names in lower case; fields of the same name are joined by `, `, of
    `cookie` by `; ` (RFC 9110, section 5.3; RFC 6265, section 5.4).

    Looking one up searches the bytes: they are asked for a few names, once.
    """

    __slots__ = ("_fields",)

    def __init__(self, fields: Iterable[tuple[bytes, bytes]]) -> None:
        joined: dict[bytes, bytes] = {}
        lines: dict[bytes, list[bytes]] = {}
        for name, value in fields:
            if name in joined:
                lines.setdefault(name, [joined[name]]).append(value)
            else:
                joined[name] = value
        for name, values in lines.items():
            joined[name] = (b"; " if name == b"cookie" else b", ").join(values)
        self._fields = b"".join(b"\r\n%b:%b" % field for field in joined.items()) + _END

    def __getitem__(self, name: str) -> str:
        start = self._fields.find(b"\r\n%b:" % name.encode("latin-1"))
        if start < 0:
            raise KeyError(name)
        start += len(name) + 3
        return self._fields[start : self._fields.index(_END, start)].decode("latin-1").strip()

    def __iter__(self) -> Iterator[str]:
        for field in self._fields.split(_END)[1:-1]:
            yield field.partition(b":")[0].decode("latin-1")

    def __len__(self) -> int:
        return self._fields.count(_END) - 1

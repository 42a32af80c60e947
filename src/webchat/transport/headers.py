"""Header fields of a request, by name."""

from __future__ import annotations

from collections.abc import Iterable


class Headers(dict[str, str]):
    """Header fields by their names in lower case; fields of the same name are joined by `, `, of
    `cookie` by `; ` (RFC 9110, section 5.3; RFC 6265, section 5.4)."""

    __slots__ = ()

    def __init__(self, fields: Iterable[tuple[bytes, bytes]]) -> None:
        super().__init__()
        several: dict[str, list[str]] = {}
        for raw_name, raw_value in fields:
            name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1").strip()
            if name in self:
                several.setdefault(name, [self[name]]).append(value)
            else:
                self[name] = value
        for name, values in several.items():
            self[name] = ("; " if name == "cookie" else ", ").join(values)

"""Invite links in a plain dictionary: the reference of `ports/links.py`."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Sequence

import msgspec

from webchat.model import ConvID, InviteLink
from webchat.ports.links import VISITS
from webchat.ports.transfer import LinkRecord, Record


class MemoryInviteLinks:
    """Links by the hash of their code; `check_up` raises while the store is down."""

    def __init__(self, check_up: Callable[[], None]) -> None:
        self._check_up = check_up
        self._links: dict[bytes, InviteLink] = {}
        self._visits: defaultdict[str, deque[str]] = defaultdict(lambda: deque(maxlen=VISITS))

    async def add(self, code_hash: bytes, link: InviteLink, most: int, now: int) -> bool:
        """Keep a link, unless its group has too many."""
        self._check_up()
        if len(self._live(link.conv, now)) >= most:
            return False
        self._links[code_hash] = link
        return True

    async def find(self, code_hash: bytes) -> InviteLink | None:
        """The link of that code."""
        self._check_up()
        return self._links.get(code_hash)

    async def of_group(self, conv: ConvID, now: int) -> Sequence[InviteLink]:
        """The links to a group that have not expired."""
        self._check_up()
        return sorted(self._live(conv, now), key=lambda link: (link.expires_at, link.id))

    async def use(self, link_id: str, visit: str) -> bool:
        """Use a link once for a visit."""
        self._check_up()
        found = [link for link in self._links.values() if link.id == link_id]
        visits = self._visits[link_id]
        if not found or (found[0].uses == 0 and visit not in visits):
            return False
        if visit not in visits:
            visits.append(visit)
            self._count(link_id, -1)
        return True

    async def give_back(self, link_id: str, visit: str) -> None:
        """Undo the use for a visit."""
        self._check_up()
        if visit in self._visits[link_id]:
            self._visits[link_id].remove(visit)
            self._count(link_id, 1)

    async def revoke(self, conv: ConvID, link_id: str) -> bool:
        """End a link to that group."""
        self._check_up()
        return self._drop(lambda link: (link.conv, link.id) == (conv, link_id))

    async def forget_expired(self, now: int) -> None:
        """Drop what has expired."""
        self._check_up()
        self._drop(lambda link: link.expires_at <= now)

    def records(self) -> Iterator[Record]:
        """All links."""
        for code_hash, link in self._links.items():
            yield LinkRecord(code_hash, link)

    def restore(self, record: Record) -> None:
        """Keep a link."""
        if isinstance(record, LinkRecord):
            self._links.setdefault(record.code_hash, record.link)

    def _live(self, conv: ConvID, now: int) -> list[InviteLink]:
        return [x for x in self._links.values() if x.conv == conv and x.expires_at > now]

    def _count(self, link_id: str, change: int) -> None:
        for code_hash, link in self._links.items():
            if link.id == link_id and link.uses is not None:
                counted = msgspec.structs.replace(link, uses=link.uses + change)
                self._links[code_hash] = counted

    def _drop(self, ends: Callable[[InviteLink], bool]) -> bool:
        kept = {code_hash: link for code_hash, link in self._links.items() if not ends(link)}
        dropped = len(kept) < len(self._links)
        self._links = kept
        return dropped

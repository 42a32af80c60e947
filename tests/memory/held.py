"""Messages that wait for their group, in a plain list: the reference of `ports/held.py`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from webchat.errors import Code, WebchatError
from webchat.model import ConvID, Draft, Uid
from webchat.ports.held import HeldLimits, HeldMessage
from webchat.ports.transfer import HeldRecord, Record


class MemoryHeld:
    """Held messages in the order of holding; `check_up` raises while the store is down."""

    def __init__(self, check_up: Callable[[], None]) -> None:
        self._check_up = check_up
        self._last_id = 0
        self._held: list[HeldMessage] = []

    async def hold(self, conv: ConvID, draft: Draft, at: int, limits: HeldLimits) -> None:
        """Keep a message, once. Raises WebchatError(RATE_LIMITED)."""
        self._check_up()
        live = [held for held in self._held if held.at >= at - limits.lifetime_ms]
        key = (conv, draft.sender, draft.msg_id)
        if draft.msg_id and any(_key(held) == key for held in live):
            return
        _check_limits(live, conv, draft, limits)
        self._last_id += 1
        self._held = [*live, HeldMessage(self._last_id, conv, draft.sender, draft, at)]

    async def of_group(self, conv: ConvID, not_before: int) -> Sequence[HeldMessage]:
        """All that is held for a group."""
        self._check_up()
        return [held for held in self._held if held.conv == conv and held.at >= not_before]

    async def of_user(self, uid: Uid, not_before: int) -> Sequence[HeldMessage]:
        """All that is held of a user."""
        self._check_up()
        return [held for held in self._held if held.uid == uid and held.at >= not_before]

    async def drop(self, ids: Sequence[int]) -> None:
        """Forget these."""
        self._check_up()
        self._held = [held for held in self._held if held.id not in ids]

    async def expire(self, before: int) -> None:
        """Forget what was held before that time."""
        self._check_up()
        self._held = [held for held in self._held if held.at >= before]

    def records(self) -> Iterator[Record]:
        """All that is held, in the order of holding."""
        for held in self._held:
            yield HeldRecord(held.conv, held.draft, held.at)

    def restore(self, record: Record) -> None:
        """Hold a message that is not held."""
        if isinstance(record, HeldRecord) and record not in self.records():
            self._last_id += 1
            said = (record.conv, record.draft.sender, record.draft, record.at)
            self._held.append(HeldMessage(self._last_id, *said))


def _key(held: HeldMessage) -> tuple[ConvID, Uid, str]:
    return held.conv, held.uid, held.draft.msg_id


def _check_limits(
    live: Sequence[HeldMessage], conv: ConvID, draft: Draft, limits: HeldLimits
) -> None:
    of_user = sum(held.uid == draft.sender for held in live)
    if of_user >= limits.messages_per_user:
        raise WebchatError(Code.RATE_LIMITED, f"{of_user} messages of yours wait for their groups")
    of_group = sum(len(held.draft.envelope) for held in live if held.conv == conv)
    if of_group + len(draft.envelope) > limits.bytes_per_group:
        raise WebchatError(Code.RATE_LIMITED, f"{conv} has too much waiting for it")

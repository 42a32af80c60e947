"""What other nodes publish, on its way to the devices here; and what is to do when they do not."""

from __future__ import annotations

import msgspec
import structlog

from webchat.chat.comparing import Comparing
from webchat.chat.hub import Hub
from webchat.chat.keeping import Keeping
from webchat.chat.notices import Notices
from webchat.chat.publishing import Publishing
from webchat.chat.recents import Recents
from webchat.chat.reminding import Reminding
from webchat.chat.repeating import Repeating
from webchat.chat.snapshots import Snapshots
from webchat.chat.topics import (
    AGAIN,
    BACK,
    COMPARE,
    COUNTS,
    ENTRY,
    HEAD,
    KEPT,
    NOTICE,
    POSITION,
    RECENT,
    entry_of,
)
from webchat.model import ConvID, Seq, user_of
from webchat.service.tasks import OneAtATime, Spawn

_KIND_BYTES = len(ENTRY)
_decode_head = msgspec.json.Decoder(tuple[ConvID, Seq]).decode
_log = structlog.get_logger()


class Listening:
    """The BusListener of the product."""

    def __init__(
        self,
        hub: Hub,
        notices: Notices,
        repeating: Repeating,
        keeping: Keeping,
        publishing: Publishing,
        comparing: Comparing,
        reminding: Reminding,
        snapshots: Snapshots,
        recents: Recents,
        spawn: Spawn,
    ) -> None:
        self._hub = hub
        self._notices = notices
        self._repeating = repeating
        self._keeping = keeping
        self._comparing = comparing
        self._reminding = reminding
        self._snapshots = snapshots
        self._recents = recents
        self._make_up = OneAtATime(publishing.make_up, spawn)

    def published(self, topic: str, payload: bytes) -> None:
        """Another node published; kinds of a later version are passed over."""
        kind, said = payload[:_KIND_BYTES], payload[_KIND_BYTES:]
        try:
            if kind == ENTRY:
                self._hub.heard(entry_of(said))
            elif kind == NOTICE:
                self._notices.heard_notice(said)
            elif kind == COUNTS:
                self._repeating.heard_counts(said)
            elif kind == POSITION:
                self._notices.heard_position(user_of(topic) or "", said)
            elif kind == AGAIN:
                self._notices.heard_position_again(user_of(topic) or "", said)
            elif kind == KEPT:
                self._keeping.heard(user_of(topic) or "")
            elif kind == HEAD:
                self._hub.heard_of(*_decode_head(said))
            elif kind == COMPARE:
                self._comparing.compare()
            elif kind == RECENT:
                self._recents.heard(said)
            elif kind == BACK:
                self._repeating.heard_back(said)
        except msgspec.DecodeError:
            _log.warning("a publish that cannot be read", topic=topic, kind=repr(kind))

    def lost(self, why: str, deaf_s: float) -> None:
        """Publishes do not arrive for now."""
        _log.warning("bus lost", why=why)
        self._comparing.lost()
        self._repeating.lost(deaf_s)

    def regained(self) -> None:
        """They do again: what did not get through is said now, in either direction."""
        _log.info("bus regained")
        self._comparing.regained()
        self._make_up.ask()
        self._repeating.make_up()
        self._keeping.look_again()
        self._reminding.remind()
        self._snapshots.show_again()
        self._recents.ask()

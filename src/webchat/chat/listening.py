"""What other nodes publish, on its way to the devices here."""

from __future__ import annotations

import msgspec
import structlog

from webchat.chat.hub import Hub
from webchat.chat.notices import Notices
from webchat.chat.topics import COUNTS, ENTRY, NOTICE, POSITION, entry_of
from webchat.model import user_of

_KIND_BYTES = len(ENTRY)
_log = structlog.get_logger()


class Listening:
    """The BusListener of the product."""

    def __init__(self, hub: Hub, notices: Notices) -> None:
        self._hub = hub
        self._notices = notices

    def published(self, topic: str, payload: bytes) -> None:
        """Another node published; kinds of a later version are passed over."""
        kind, said = payload[:_KIND_BYTES], payload[_KIND_BYTES:]
        try:
            if kind == ENTRY:
                self._hub.pass_on(entry_of(said))
            elif kind == NOTICE:
                self._notices.heard_notice(said)
            elif kind == COUNTS:
                self._notices.heard_counts(said)
            elif kind == POSITION:
                self._notices.heard_position(user_of(topic) or "", said)
        except msgspec.DecodeError:
            _log.warning("a publish that cannot be read", topic=topic, kind=repr(kind))

    def lost(self) -> None:
        """Publishes do not arrive for now."""
        _log.warning("bus lost")

    def regained(self) -> None:
        """They do again."""
        _log.info("bus regained")
        self._hub.recover()

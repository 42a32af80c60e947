"""Gaps: entries that are in a log and have not come by are read from it, and passed on in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Final

from webchat.chat.acks import OwnAck, in_flight
from webchat.chat.followed import FollowedLog, Gap
from webchat.chat.roster import Roster
from webchat.chat.settings import RepairSettings
from webchat.chat.tools import Tools
from webchat.model import NO_HEAD, ConvID, Entry, Head, Seq, Uid
from webchat.service.amend import what_became_of
from webchat.service.membership import coming_in, leaving

_EDITED: Final = b'"Edited":'
"""In the envelopes of all entries that were edited."""


class Gaps:
    """One read at a time a log. `pass_on`: takes the next entry of a log, and its ack if a
    connection here had it appended. `meet`: takes one of a log that nobody here may follow."""

    def __init__(
        self,
        roster: Roster,
        pass_on: Callable[[FollowedLog, Entry, OwnAck | None], None],
        meet: Callable[[Entry, OwnAck | None], None],
        tools: Tools,
        settings: RepairSettings,
    ) -> None:
        self._roster = roster
        self._log = tools.store.log
        self._patience = tools.patience
        self._spawn = tools.spawn
        self._stats = tools.stats
        self._settings = settings
        self._pass_on = pass_on
        self._meet = meet

    def close(self, log: FollowedLog, seq: Seq, ack: OwnAck | None = None) -> None:
        """Entries up to `seq` are in the log; those that have not come by are read. `ack`: that of
        the entry `seq`, if a connection here had it appended."""
        if seq <= log.last:
            return
        gap = log.gap = log.gap or Gap(log.last)
        kept = gap.acks.get(seq, ())
        if ack is not None and ack not in kept:  # a publish may bring it before the store does
            gap.acks[seq] = (*kept, ack)
        is_read = gap.seen > log.last
        gap.seen = max(gap.seen, seq)
        if not is_read:
            self._spawn(self._read(log))

    async def _read(self, log: FollowedLog) -> None:
        self._stats.repairs += 1
        try:
            await self._read_on(log)
        finally:
            if log.gap is not None:  # it ended early: who next hears of more begins anew
                log.gap.seen = log.last

    async def _read_on(self, log: FollowedLog) -> None:
        after = log.last
        while self._is_missing(log):
            after = max(after, log.last)
            entries = await self._patience.insist(
                partial(self._log.read, log.conv, after, self._settings.gap_page),
                "reading a gap",
                conv=log.conv,
            )
            if entries:
                after = entries[-1].seq
            elif log.gap is not None:
                log.gap.seen = log.last
                log.gap.acks.clear()
            self._take(log, entries)

    def _is_missing(self, log: FollowedLog) -> bool:
        """Whether something that was heard of has not been passed on; where all who followed a log
        have left on the way, whether acks still wait for their entries."""
        if self._roster.logs.get(log.conv) is log:
            return log.last < log.seen
        return log.gap is not None and bool(log.gap.acks)

    async def catch_up(self, logs: Sequence[FollowedLog]) -> None:
        """Somebody has been further in these logs than this node: return when it is at their end.

        Raises WebchatError(UNAVAILABLE).
        """
        heads = await self._log.heads([log.conv for log in logs])
        for log in logs:
            last = heads.get(log.conv, NO_HEAD).last
            while log.last < last and self._roster.logs.get(log.conv) is log:
                entries = await self._log.read(log.conv, log.last, self._settings.gap_page)
                if not entries:
                    break
                self._take(log, entries)

    async def come_up_to(self, heads: Mapping[ConvID, Head]) -> None:
        """Before somebody follows logs that others here follow: what these have not been passed on
        yet may come before that user's time in them. Raises WebchatError(UNAVAILABLE)."""
        followed = self._roster.logs
        logs = [followed[conv] for conv in heads if conv in followed]
        behind = [log for log in logs if log.last < heads[log.conv].last]
        if behind:
            await self.catch_up(behind)

    def _take(self, log: FollowedLog, entries: Sequence[Entry]) -> None:
        for index, entry in enumerate(entries):
            if self._roster.logs.get(log.conv) is not log:
                # All who followed it have left; an entry may bring one of them in again.
                kept = log.gap.acks.pop(entry.seq, ()) if log.gap else ()
                for ack in kept or (self.ack_in_flight(entry),):
                    self._meet(entry, ack)
            elif entry.seq == log.last + 1:
                if log.is_group and _EDITED in entry.envelope:
                    self._leave_to_backlogs(log, entry, entries[index + 1 :])
                self._pass_on(log, entry, self.ack_in_flight(entry))

    def _leave_to_backlogs(self, log: FollowedLog, entry: Entry, later: Sequence[Entry]) -> None:
        """An entry of a group that was edited since says what was not for those who left before
        that. They get it from their backlogs, which know; so does everybody where the edit is not
        among the entries that come `later`."""
        edited = what_became_of(entry).edited
        is_known = edited <= (later[-1].seq if later else entry.seq)
        uids = _gone_by(edited, later) if is_known else set(log.users)
        for uid in uids.intersection(log.users):
            for device in self._roster.devices_of(uid):
                device.read_on(log, entry)

    def ack_in_flight(self, entry: Entry) -> OwnAck | None:
        """Of an entry that a connection here is having appended."""
        for device in self._roster.devices_of(entry.sender):
            ack = in_flight(device, entry)
            if ack is not None:
                return ack
        return None


def _gone_by(seq: Seq, entries: Iterable[Entry]) -> set[Uid]:
    """Who leaves by one of these entries of a group, and is not in it again by the entry `seq`."""
    gone: set[Uid] = set()
    for entry in entries:
        if entry.seq > seq:
            break
        gone.difference_update(coming_in(entry))
        gone.update(leaving(entry))
    return gone

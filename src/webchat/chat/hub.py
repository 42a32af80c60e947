"""Every entry passes here on its way to the devices of those who follow its log.

Per followed log the last `Seq` passed on is known: an entry that is next goes out, a lower one is a
copy, a higher one shows a gap, which is read from the log first (docs/architecture.md).
"""

from __future__ import annotations

from webchat.chat.acks import OwnAck
from webchat.chat.attendance import Attendance
from webchat.chat.followed import FollowedLog, Gap
from webchat.chat.gaps import Gaps
from webchat.chat.packets import entry_packet
from webchat.chat.roster import Roster
from webchat.chat.stats import Stats
from webchat.model import MESSAGE, ConvID, Entry, Seq, head_at


class Hub:
    """The fan-out of one node. All calls on the loop's thread."""

    def __init__(self, roster: Roster, attendance: Attendance, gaps: Gaps, stats: Stats) -> None:
        self.roster = roster
        self._attendance = attendance
        self._gaps = gaps
        self._stats = stats

    def heard(self, entry: Entry) -> None:
        """Another node published an entry. It may be one that a connection here had appended, and
        that its next connection sent again there."""
        self.pass_on(entry, self._gaps.ack_in_flight(entry))

    def heard_of(self, conv: ConvID, seq: Seq) -> None:
        """A log goes up to `seq`."""
        log = self.roster.logs.get(conv)
        if log is None:
            self.roster.arrivals_miss_something()
            log = self._attendance.begin_to_follow_pair(conv)
        if log is not None and seq > log.last:
            self._gaps.close(log, seq)

    def pass_on(self, entry: Entry, ack: OwnAck | None = None) -> None:
        """Bring an entry to every device here that follows its log, once and in order.

        For the device that sent it, its ack takes the entry's place.
        """
        conv = entry.conv
        log = self.roster.logs.get(conv)
        if ack is not None and conv not in ack.device.user.logs:
            if log is not None and self._attendance.asks_first(log, entry, ack):
                return
            log = self._attendance.take_in(ack.device.user, log, entry)
        if log is None:
            self.roster.note(conv, head_at(entry))
            log = self._attendance.begin_to_follow(entry)
        if log is not None and entry.seq == log.last + 1:
            self.fan_out(log, entry, ack)
        elif log is None or entry.seq <= log.last:
            if log is not None and entry.seq == 1:
                self._attendance.take_in_the_other(log)
            if ack is not None and ack.ack_id is not None:
                ack.device.place_ack(entry, ack)
            if log is not None:
                self._attendance.leave_again(log, entry)
        else:
            self._gaps.close(log, entry.seq, ack)

    def fan_out(self, log: FollowedLog, entry: Entry, ack: OwnAck | None) -> None:
        """The next entry of a log goes to every device here that follows it."""
        is_news = entry.kind != MESSAGE  # about the log itself, perhaps
        if is_news:
            self._attendance.come_in_by(log, entry)
        earlier: tuple[OwnAck, ...] = ()
        if log.gap is not None:
            ack, earlier = self._out_of_gap(log, log.gap, entry, ack)
        log.last = entry.seq
        log.n = entry.n
        log.at = entry.at
        packet = entry_packet(entry)
        sender = None if ack is None else ack.device
        users, copies = self.roster.users, 0
        for uid in log.users:
            devices = users[uid].devices
            copies += len(devices)
            for device in devices:
                if device is sender and ack is not None:
                    device.sent_it(log, entry, packet, ack)
                else:
                    device.receive(log, entry, packet)
        if ack is not None and ack.device.user.uid not in log.users:
            ack.device.place_ack(entry, ack)  # of a `depart` sent again, say
        for other in earlier:
            if other.ack_id is not None:
                other.device.place_ack(entry, other)
        stats = self._stats
        stats.passed_on += 1
        stats.copies += copies
        if is_news:
            self._attendance.leave_by(log, entry)

    def _out_of_gap(
        self, log: FollowedLog, gap: Gap, entry: Entry, ack: OwnAck | None
    ) -> tuple[OwnAck | None, tuple[OwnAck, ...]]:
        """The next entry of a gap. Returns its ack, if a connection here had it appended, and those
        of connections before that one, which sent the same."""
        acks = tuple([kept for kept in gap.acks.pop(entry.seq, ()) if kept is not ack])
        if ack is None and acks:
            ack, acks = acks[-1], acks[:-1]
        if gap.seen <= entry.seq and not gap.acks:
            log.gap = None
        if ack is not None and log.conv not in ack.device.user.logs:
            self._attendance.take_in(ack.device.user, log, entry)
        return ack, acks

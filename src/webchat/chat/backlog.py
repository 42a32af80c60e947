"""The backlog of a device: read in pages, newest conversation first, at its socket's pace."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

import structlog

from webchat.chat.acks import in_flight
from webchat.chat.device import Device
from webchat.chat.followed import FollowedLog, User
from webchat.chat.lag import BacklogSettings, Lag
from webchat.chat.packets import entry_packet
from webchat.chat.tools import Tools
from webchat.errors import WebchatError
from webchat.model import ConvID, Seq, Uid, is_group
from webchat.service.apart import Apart
from webchat.service.seeing import ALL, Span, as_seen, visible

LetOut = Callable[[User, FollowedLog], Awaitable[None]]
"""Called with a user who has left a log that it still follows here."""
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class _Run:
    """A device on its way to the end of a log. It ends early when the lag begins anew meanwhile:
    the `spans` that its user may see were read for where it began."""

    device: Device
    log: FollowedLog
    lag: Lag
    begun: int
    spans: tuple[Span, ...]

    @property
    def goes_on(self) -> bool:
        """Whether it still has somewhere to go."""
        return self.lag.begun == self.begun and self.device.is_behind(self.log, self.lag)


class Backlog:
    """Brings devices from where they are behind to live. One run at a time a device; logs that
    cannot be read are left to another, which holds up nothing else."""

    def __init__(self, let_out: LetOut, tools: Tools, settings: BacklogSettings) -> None:
        self._let_out = let_out
        self._stats = tools.stats
        self._log = tools.store.log
        self._members = tools.store.members
        self._spawn = tools.spawn
        self.settings = settings
        self._under_way: set[Device] = set()
        self._logs: Apart[Device, ConvID] = Apart(
            self._catch_up_in_time,
            1,
            "a backlog",
            tools.patience,
            tools.spawn,
            lambda device, _: self.wake(device),  # all anew: the newest first, many by one read
        )

    def wake(self, device: Device) -> None:
        """Begin a run, if there is anything to do and none is under way."""
        if device in self._under_way:
            return
        if any(lag.is_for_backlog for lag in device.lags.values()):
            self._under_way.add(device)
            self._spawn(self._run(device))

    async def _run(self, device: Device) -> None:
        try:
            while not device.socket.closed:
                due = [
                    conv
                    for conv, lag in device.lags.items()
                    if lag.is_for_backlog and not self._logs.holds(device, conv)
                ]
                if not due:
                    return
                for together in self._by_page(device, device.newest_first(due)):
                    if len(together) > 1:
                        with suppress(WebchatError):  # else each is read by itself
                            await self._read_ahead(device, together)
                    for log in together:
                        if self._send_read_ahead(device, log):
                            continue
                        await self._logs.act_on(device, (log.conv,))
                        if device.socket.congested:  # by skips: entries have waited
                            await device.socket.drained()
        finally:
            self._under_way.discard(device)

    def _by_page(self, device: Device, logs: Iterable[FollowedLog]) -> Iterator[list[FollowedLog]]:
        """These logs in their order, as many together as lack no more than a page of entries."""
        together: list[FollowedLog] = []
        room = self.settings.page_entries
        for log in logs:
            lag = device.lags.get(log.conv)
            missing = 0 if lag is None or lag.skip_only else log.last - lag.position
            if together and missing > room:
                yield together
                together, room = [], self.settings.page_entries
            together.append(log)
            room -= missing
        yield together

    async def _read_ahead(self, device: Device, logs: Sequence[FollowedLog]) -> None:
        """What is missing of each of these logs, by one read."""
        lags = [(log.conv, device.lags.get(log.conv)) for log in logs]
        places = {conv: lag.position for conv, lag in lags if lag and not lag.skip_only}
        pages = await self._log.read_each(places, self.settings.page_entries)
        for conv, page in pages.items():
            lag = device.lags.get(conv)
            if lag is not None:
                lag.page = page

    def _send_read_ahead(self, device: Device, log: FollowedLog) -> bool:
        """Bring a pair's log to live with what was read ahead, where that is all, none of it is
        passed over and nothing has to be waited for; whether so. Most of what devices come back to
        is of that kind. It is what `_catch_up` comes to, at a quarter of the cost."""
        lag = device.lags.get(log.conv)
        if (
            lag is None
            or lag.skip_only
            or not lag.page
            or log.is_group
            or lag.acks
            or device.in_flight
            or not device.full
            or lag.position < lag.end - self.settings.backlog_entries
            or not device.is_behind(log, lag)
        ):
            return False
        page = lag.take_page()
        for index, entry in enumerate(page):
            if entry.seq != lag.position + 1 or entry.seq > log.last:
                return False
            if device.socket.congested:
                lag.page = page[index:]
                return False
            device.send(entry, entry_packet(entry), lag)
            self._stats.backlog += 1
        if lag.position < log.last:
            return False
        device.live(log, lag)
        return True

    async def _catch_up_in_time(self, device: Device, convs: Sequence[ConvID]) -> None:
        for conv in convs:
            while not device.socket.closed:
                log, lag = device.log_of(conv), device.lags.get(conv)
                if log is None or lag is None or not device.is_behind(log, lag):
                    break
                await self._catch_up(device, log, lag)

    async def _catch_up(self, device: Device, log: FollowedLog, lag: Lag) -> None:
        """Bring one log in which the device is behind to live, unless that begins anew meanwhile,
        or its user turns out to have left it: then the rest up to there is another log's."""
        if lag.skip_only:
            device.skip(log, lag, log.last, log.n, more=True)
        begun, spans = lag.begun, await self._visible(device.user.uid, log.conv)
        user = device.user
        if spans and spans[-1][1] <= log.last and user.logs.get(log.conv) is log:
            await self._let_out(user, log)
            return
        run = _Run(device, log, lag, begun, spans)
        await self._skip_to_start(run)
        for since, until in spans:
            if lag.position < since - 1:
                await self._skip_to(run, since - 1, more=False)
            await self._send_span(run, since, until)
        if run.goes_on:
            if lag.position < log.last:
                device.skip(log, lag, log.last, log.n, more=False)
            device.live(log, lag)

    async def _visible(self, uid: Uid, conv: ConvID) -> tuple[Span, ...]:
        if not is_group(conv):
            return ALL
        spans = await self._members.spans(conv, uid)
        return visible(spans, await self._members.group(conv))

    async def _skip_to_start(self, run: _Run) -> None:
        """Pass over what lies too far back, and what came before the user did."""
        lag, spans = run.lag, run.spans
        start = lag.position
        if run.device.full:
            start = max(start, lag.end - self.settings.backlog_entries)
        for since, until in spans:
            if until > start:
                start = max(start, since - 1)
                break
        if start > lag.position:
            passed = range(lag.position + 1, start + 1)
            more = any(since <= passed[-1] and until >= passed[0] for since, until in spans)
            await self._skip_to(run, start, more=more)

    async def _skip_to(self, run: _Run, seq: Seq, *, more: bool) -> None:
        log, lag = run.log, run.lag
        entries = await self._log.read(log.conv, seq - 1, 1)
        if entries and run.goes_on and lag.position < seq <= log.last:
            run.device.skip(log, lag, seq, entries[0].n, more=more)

    async def _send_span(self, run: _Run, since: Seq, until: float) -> None:
        log, lag = run.log, run.lag
        while run.goes_on and since <= lag.position + 1 <= min(log.last, until):
            if not await self._send_page(run, until):
                _log.error("a log ends before its head", conv=log.conv, after=lag.position)
                return

    async def _send_page(self, run: _Run, until: float) -> bool:
        """Send one page; False: there was none."""
        device, log, lag = run.device, run.log, run.lag
        entries = lag.take_page()
        if not entries:
            entries = await self._log.read(log.conv, lag.position, self.settings.page_entries)
        for entry in entries:
            if not run.goes_on or entry.seq != lag.position + 1:
                break
            if entry.seq > min(log.last, until):
                break
            packet = await device.in_its_form(as_seen(entry, run.spans))
            ack = in_flight(device, entry)
            if ack is not None and ack.ack_id is not None:
                lag.keep_ack(entry, ack)
            await lag.until_free(entry.seq)
            if run.goes_on and entry.seq == lag.position + 1:
                device.send(entry, packet, lag)
                self._stats.backlog += 1
            if device.socket.congested:
                await device.socket.drained()
        return bool(entries)

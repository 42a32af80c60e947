"""The backlog of a device: read in pages, newest conversation first, at its socket's pace."""

from __future__ import annotations

import structlog

from webchat.chat.device import BacklogSettings, Device, Lag, newest_first
from webchat.chat.hub import RETRY_S, HeldLog, pause
from webchat.chat.packets import entry_packet
from webchat.errors import WebchatError
from webchat.ports.clock import Clock
from webchat.ports.log import Log

_log = structlog.get_logger()


class Backlog:
    """Brings devices from where they are behind to live. One run at a time a device."""

    def __init__(self, log: Log, clock: Clock, settings: BacklogSettings) -> None:
        self._log = log
        self._clock = clock
        self._settings = settings

    def is_wanted(self, device: Device) -> bool:
        """Whether a run has anything to do and none is under way."""
        return not device.pumping and any(not lag.waiting for lag in device.lags.values())

    async def run(self, device: Device) -> None:
        """Send what `device` is behind, until it is live in all logs whose cursors are known."""
        device.pumping = True
        try:
            while not device.socket.closed:
                due = [conv for conv, lag in device.lags.items() if not lag.waiting]
                if not due:
                    return
                for held in newest_first(device.user, due):
                    await self._catch_up_in_time(device, held)
        finally:
            device.pumping = False

    async def _catch_up_in_time(self, device: Device, held: HeldLog) -> None:
        while not device.socket.closed:
            lag = device.lags.get(held.conv)
            if lag is None or lag.waiting:
                return
            try:
                await self._catch_up(device, held, lag)
            except WebchatError as error:
                _log.warning("backlog waits for the store", conv=held.conv, why=error.message)
                await pause(self._clock, RETRY_S)

    async def _catch_up(self, device: Device, held: HeldLog, lag: Lag) -> None:
        """Bring one log to live. Ends early when its cursor was set anew meanwhile."""
        if lag.skip_only:
            device.skip(held, lag, held.last, held.n)
        elif device.full:
            await self._skip_far(device, held, lag)
        while lag.position < held.last and device.is_behind(held, lag):
            if not await self._send_page(device, held, lag):
                _log.error("a log ends before its head", conv=held.conv, after=lag.position)
                device.skip(held, lag, held.last, held.n)
        if device.is_behind(held, lag):
            device.live(held, lag)

    async def _skip_far(self, device: Device, held: HeldLog, lag: Lag) -> None:
        while held.last - lag.position > self._settings.backlog_entries:
            target = held.last - self._settings.backlog_entries
            entries = await self._log.read(held.conv, target - 1, 1)
            if not device.is_behind(held, lag):
                return
            if entries and target > lag.position:
                device.skip(held, lag, target, entries[0].n)

    async def _send_page(self, device: Device, held: HeldLog, lag: Lag) -> bool:
        """Send one page; False: there was none. A cursor set anew ends the page."""
        entries = await self._log.read(held.conv, lag.position, self._settings.page_entries)
        for entry in entries:
            if not device.is_behind(held, lag) or entry.seq != lag.position + 1:
                break
            if entry.seq > held.last:
                break
            device.send(entry, entry_packet(entry), lag)
            if device.socket.congested:
                await device.socket.drained()
        return bool(entries)

"""Cursors of `join` and `sync`: where a device of the full form begins in each of its logs.

Source: docs/protocol.md, section 2, "Full form".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from webchat.chat.device import Device
from webchat.chat.followed import FollowedLog
from webchat.chat.lag import BacklogSettings, Lag, share_out
from webchat.model import ConvID, Seq


class Cursors:
    """What cursors do to a device."""

    def __init__(self, settings: BacklogSettings) -> None:
        self._settings = settings

    def join(self, device: Device, cursors: Mapping[ConvID, Seq], *, more: bool) -> None:
        """The first cursors of a connection; with `more`, logs not named wait for `sync`."""
        device.budget = self._settings.join_entries
        unnamed = [conv for conv in device.user.logs if conv not in cursors]
        for conv in unnamed:
            device.lag_behind(conv, Lag(0, waiting=True)).end = device.user.logs[conv].last
        if not more:
            for conv in unnamed:
                _begin(device, device.user.logs[conv], None)
        _begin_named(device, cursors)
        self._plan(device, [conv for conv, lag in device.lags.items() if not lag.waiting])
        if not more:
            device.budget = None

    def sync(self, device: Device, cursors: Mapping[ConvID, Seq], *, more: bool) -> None:
        """Further cursors, or new ones: what they do not name keeps its place."""
        goes_on = device.awaits_more
        if not goes_on:
            device.budget = self._settings.join_entries
        _begin_named(device, cursors)
        self._plan(device, list(cursors))
        if not (more and goes_on):
            self.stop_waiting(device)

    def stop_waiting(self, device: Device) -> None:
        """No further cursors come: what still waits begins at its start."""
        released = [conv for conv, lag in device.lags.items() if lag.waiting]
        for conv in released:
            log = device.log_of(conv)
            if log is not None:
                _begin(device, log, None)
        self._plan(device, released)
        device.budget = None

    def _plan(self, device: Device, convs: Sequence[ConvID]) -> None:
        logs = device.newest_first(convs)
        device.budget = share_out(device.lags, logs, device.budget or 0, self._settings)


def _begin_named(device: Device, cursors: Mapping[ConvID, Seq]) -> None:
    logs = device.user.logs
    for conv, cursor in cursors.items():
        log = logs.get(conv)
        if log is not None and log.last == cursor and not device.lags and not device.past:
            continue  # live, as most logs of a device that comes back are
        log = device.log_of(conv)
        if log is not None:
            _begin(device, log, cursor)


def _begin(device: Device, log: FollowedLog, cursor: Seq | None) -> None:
    """Set where a log begins; None: at its start, a user log at its end."""
    lag = device.lags.get(log.conv)
    is_past = device.past is not None and log.conv in device.past
    if lag is None and cursor == log.last and not is_past:
        return  # live
    if lag is None:
        lag = device.lag_behind(log.conv, Lag(log.last))
    # What was appended since the join is missed by nobody.
    own_end = lag.end if lag.waiting else log.last
    lag.waiting = False
    lag.queue = None
    lag.skip_only = False
    lag.position, lag.end = 0 if cursor is None else cursor, log.last
    lag.begun += 1
    is_own = log.conv == device.user.own
    if cursor is None and is_own:
        device.skip(log, lag, own_end, log.n, more=False)
    elif lag.position > log.last:
        device.skip(log, lag, log.last, log.n, more=False)
    if lag.position == log.last:
        device.live(log, lag)

"""The chat layer put together: flows, hub and handler over a store and a bus."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace

from webchat.chat.ahead import Ahead
from webchat.chat.amending import Amending
from webchat.chat.arriving import Arriving
from webchat.chat.attendance import Attendance
from webchat.chat.backlog import Backlog
from webchat.chat.comparing import Comparing
from webchat.chat.confirming import Answering, Confirming
from webchat.chat.gaps import Gaps
from webchat.chat.governing import Governing
from webchat.chat.grouping import Groups
from webchat.chat.handlers import ChatHandler, ChatSettings
from webchat.chat.hub import Hub
from webchat.chat.identity import Identity
from webchat.chat.joining import Joining, JoinSettings
from webchat.chat.keeping import Keeping, KeptSettings
from webchat.chat.lag import BacklogSettings
from webchat.chat.listening import Listening
from webchat.chat.notices import Notices
from webchat.chat.publishing import Publishing
from webchat.chat.recents import Recents
from webchat.chat.reminding import Reminding
from webchat.chat.repeating import Repeating
from webchat.chat.restarting import Restarting
from webchat.chat.roster import Roster
from webchat.chat.sending import Sender
from webchat.chat.settings import RepairSettings
from webchat.chat.snapshots import Snapshots
from webchat.chat.stats import Stats
from webchat.chat.tools import Tools
from webchat.chat.topics import NODES
from webchat.chat.unheard import Heard, Said, Unheard
from webchat.model import Login
from webchat.ports.bus import Bus
from webchat.ports.clock import Clock
from webchat.ports.held import HeldLimits
from webchat.ports.store import Store
from webchat.service.appending import Appends
from webchat.service.patience import Patience
from webchat.service.profiles import Profiles
from webchat.service.read_positions import ReadPositions, ReceiptSettings
from webchat.service.receipts import Receipts
from webchat.service.standing import Standings
from webchat.service.tasks import Tasks
from webchat.service.telling import Telling


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of all parts."""

    open_mode: bool = False
    chat: ChatSettings = field(default_factory=ChatSettings)
    join: JoinSettings = field(default_factory=JoinSettings)
    backlog: BacklogSettings = field(default_factory=BacklogSettings)
    receipts: ReceiptSettings = field(default_factory=ReceiptSettings)
    kept: KeptSettings = field(default_factory=KeptSettings)
    repair: RepairSettings = field(default_factory=RepairSettings)
    held: HeldLimits = field(default_factory=HeldLimits)
    connections_per_user: int = 1_000
    revocation_sweep_ms: int = 500
    login_days: float = 30


class Chat:
    """The chat layer of one node. `authenticate`: the login of a token, or None.

    `appends`: for acts on groups that come by REST. `patience`: the node's, so that the
    log tells of an outage of its store once.
    """

    def __init__(
        self,
        store: Store,
        bus: Bus,
        clock: Clock,
        profiles: Profiles,
        authenticate: Callable[[str], Awaitable[Login | None]],
        settings: Settings,
    ) -> None:
        self._settings = settings
        self._tasks = tasks = Tasks()
        self._telling = to_be_told = Tasks()
        """What tells authors of receipts, or keeps these for them."""
        self.stats = stats = Stats()
        self.patience = patience = Patience(clock)
        spawn = tasks.spawn
        tools = Tools(store, bus, clock, patience, spawn, stats, settings.open_mode)

        # Who is here, and what they are sent
        self.roster = roster = Roster(tools)
        gaps = Gaps(
            roster,
            # The hub finds the gaps, and gets what was missing in them.
            lambda log, entry, ack: hub.fan_out(log, entry, ack),
            lambda entry, ack: hub.pass_on(entry, ack),
            tools,
            settings.repair,
        )
        self._comparing = comparing = Comparing(roster, gaps, tools, settings.repair)
        backlog = Backlog(
            # It may be the first to know.
            lambda user, log: attendance.let_out(user, log),
            tools,
            settings.backlog,
        )
        attendance = Attendance(roster, gaps, comparing, backlog, tools)
        ahead = Ahead(attendance, gaps, store.members)
        hub = Hub(roster, attendance, gaps, stats)
        self._publishing = publishing = Publishing(tools, settings.repair)

        # Receipts
        keeping = Keeping(roster, profiles, replace(tools, spawn=to_be_told.spawn), settings.kept)
        most = settings.repair.failed_notices
        unheard, said = Unheard(most), Said(most, settings.repair.unnoticed_s, clock)
        notices = Notices(roster, keeping, unheard, said, Heard(most), tools, settings.receipts)
        readers = ReadPositions(
            store, profiles, clock, spawn, notices.author_counted, settings.receipts
        )
        telling = Telling(
            store, readers, notices, profiles, patience, to_be_told.spawn, settings.receipts
        )
        self.receipts = receipts = Receipts(
            store.positions,
            telling,
            Answering().stored,
            notices.reader_moved,
            clock,
            settings.receipts,
        )
        confirming = Confirming(store.log, ahead, receipts)
        repeating = Repeating(notices, readers, profiles, unheard, said, tools, settings.repair)
        reminding = Reminding(roster, tools, settings.repair)
        snapshots = Snapshots(roster, readers, tools, settings.join.snapshots)
        self._recents = recents = Recents(profiles, tools)
        bus.listen(
            Listening(
                hub,
                notices,
                repeating,
                keeping,
                publishing,
                comparing,
                reminding,
                snapshots,
                recents,
                spawn,
            )
        )

        # What connections say
        standings = Standings(store.log, store.members)
        sender = Sender(hub, publishing, receipts, notices, tools)
        self.appends: Appends = sender
        restarting = None
        if settings.open_mode:
            restarting = Restarting(standings, sender, tools, settings.held)
        self._identity = Identity(
            authenticate, profiles.forget, tools, settings.connections_per_user
        )
        joining = Joining(
            roster,
            Arriving(roster, gaps, comparing, attendance, tools),
            ahead,
            backlog,
            receipts,
            snapshots,
            profiles,
            keeping,
            restarting,
            tools,
            settings.join,
        )
        text_bytes, list_uids = settings.chat.text_bytes, settings.chat.list_uids
        self.handler = ChatHandler(
            self._identity,
            joining,
            sender,
            confirming,
            Groups(profiles, standings, sender, restarting, tools, list_uids, text_bytes),
            Governing(store.members, store.invitations, standings, sender, list_uids),
            Amending(store.log, ahead, standings, sender, text_bytes),
            profiles,
            tools,
            settings.chat,
        )

    def start(self) -> None:
        """Watch for logins that end, for what no publish has brought, and for nodes that say so."""
        self._tasks.spawn(self._hear_all())
        self._tasks.spawn(self._comparing.sweep())
        if not self._settings.open_mode:
            self._tasks.spawn(self._identity.watch(self._settings.revocation_sweep_ms))
            self._tasks.spawn(self._identity.keep(self._settings.login_days))

    async def _hear_all(self) -> None:
        await self.roster.subscribe(NODES)
        self._recents.ask()

    def compare(self) -> None:
        """Others may have appended what they did not get to publish: a node has died, say. What is
        in the logs followed here and has not come by is read and passed on."""
        self._comparing.compare()

    def drain(self) -> None:
        """Refuse what still comes; write what has been gathered."""
        self.handler.drain()
        self.receipts.flush()

    async def finish(self, within_s: float) -> None:
        """Write what has been gathered, and have it told, or kept for authors who are nowhere: what
        was acknowledged is not asked for again. For `within_s` seconds at most."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self.receipts.written()
                await self._telling.over()
                await self._publishing.answered()  # what nobody has heard is kept then
                await self._telling.over()

    async def close(self) -> None:
        """End all that runs beside."""
        await self._tasks.close()
        await self._telling.close()

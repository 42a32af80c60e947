"""The chat layer put together: flows, hub and handler over a store and a bus."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from webchat.chat.ahead import Ahead
from webchat.chat.amending import Amending
from webchat.chat.attendance import Attendance
from webchat.chat.backlog import Backlog
from webchat.chat.comparing import Comparing
from webchat.chat.confirming import Confirming
from webchat.chat.gaps import Gaps
from webchat.chat.governing import Governing
from webchat.chat.grouping import Groups, GroupSettings
from webchat.chat.handlers import ChatHandler, ChatSettings
from webchat.chat.hub import Hub
from webchat.chat.identity import Identity
from webchat.chat.joining import Joining, JoinSettings
from webchat.chat.keeping import Keeping, KeptSettings
from webchat.chat.lag import BacklogSettings
from webchat.chat.listening import Listening
from webchat.chat.notices import Notices
from webchat.chat.patience import Patience
from webchat.chat.publishing import Publishing
from webchat.chat.reminding import Reminding
from webchat.chat.restarting import Restarting
from webchat.chat.roster import Roster
from webchat.chat.sending import Sender
from webchat.chat.settings import RepairSettings
from webchat.chat.snapshots import Snapshots
from webchat.chat.stats import Stats
from webchat.chat.tasks import Tasks
from webchat.chat.unheard import Lately, Unheard
from webchat.model import Login
from webchat.ports.bus import Bus
from webchat.ports.clock import Clock
from webchat.ports.held import HeldLimits
from webchat.ports.store import Store
from webchat.service.appending import Appends
from webchat.service.consent import Consent
from webchat.service.profiles import Profiles
from webchat.service.read_positions import ReadPositions, ReceiptSettings
from webchat.service.receipts import Receipts
from webchat.service.standing import Standings
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
    groups: GroupSettings = field(default_factory=GroupSettings)
    revocation_sweep_ms: int = 500
    session_days: float = 30


class Chat:
    """The chat layer of one node. `authenticate`: the login of a token, or None.

    `appends`: for acts on groups that come by REST.
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
        self.stats = stats = Stats()
        patience = Patience(clock)
        self.roster = roster = Roster(store.log, store.members, store.following, bus)
        gaps = Gaps(roster, store.log, patience, tasks.spawn, stats, settings.repair)
        roster.catch_up = gaps.catch_up
        self._comparing = comparing = Comparing(
            roster, store.log, gaps, patience, clock, tasks.spawn, stats, settings.repair
        )
        roster.came_late = lambda user: tasks.spawn(
            comparing.compare_some(list(user.logs.values()))
        )
        attendance = Attendance(roster, store.log, gaps, comparing, patience, tasks.spawn)
        roster.came_in = attendance.watch
        hub = Hub(roster, attendance, gaps, stats)
        backlog = Backlog(store.log, store.members, patience, tasks.spawn, stats, settings.backlog)
        attendance.wake = backlog.wake
        publishing = Publishing(bus, store.log, patience, stats, settings.repair)
        readers = ReadPositions(
            store.positions,
            store.log,
            store.members,
            profiles,
            clock,
            tasks.spawn,
            settings.receipts,
        )
        telling = Telling(
            store.log, store.members, readers, profiles, clock, tasks.spawn, settings.receipts
        )
        self.receipts = receipts = Receipts(store.positions, telling, clock, settings.receipts)
        keeping = Keeping(store.kept, roster, bus, patience, tasks.spawn, settings.kept)
        notices = Notices(
            roster,
            bus,
            store.positions,
            keeping,
            patience,
            clock,
            tasks.spawn,
            Unheard(settings.repair.failed_notices),
            Lately(settings.repair.failed_notices, clock),
        )
        confirming = Confirming(store.log, receipts, stats)
        receipts.stored = confirming.stored
        receipts.moved = notices.reader_moved
        telling.listener = notices
        readers.counted = notices.author_counted
        reminding = Reminding(roster, store.positions, patience, tasks.spawn, settings.repair)
        snapshots = Snapshots(
            roster, readers, store.positions, patience, tasks.spawn, settings.join.snapshots
        )
        bus.listen(
            Listening(
                hub, notices, keeping, publishing, comparing, reminding, snapshots, tasks.spawn
            )
        )
        self._identity = Identity(
            authenticate,
            store.logins,
            patience,
            clock,
            open_mode=settings.open_mode,
            on_revoked=profiles.forget,
            spawn=tasks.spawn,
            stats=stats,
        )
        standings = Standings(store.log, store.members)
        sender = Sender(store.log, hub, publishing, receipts, notices, clock, tasks.spawn, stats)
        self.appends: Appends = sender
        restarting = (
            Restarting(store.held, standings, sender, clock, settings.held)
            if settings.open_mode
            else None
        )
        if restarting is not None:
            append_for = restarting.append_for
            attendance.holder_came_in = lambda user, conv: tasks.spawn(
                patience.insist(lambda: append_for(user, conv), "held messages", uid=user.uid)
            )
        joining = Joining(
            roster,
            Ahead(attendance, gaps, store.members),
            backlog,
            store.log,
            store.members,
            store.positions,
            receipts,
            snapshots,
            profiles,
            keeping,
            restarting,
            patience,
            clock,
            tasks,
            settings.join,
            open_mode=settings.open_mode,
        )
        groups = Groups(
            store.members,
            profiles,
            standings,
            Consent(store.accounts, store.members, store.invitations),
            sender,
            clock,
            restarting,
            tasks.spawn,
            settings.groups,
        )
        self.handler = ChatHandler(
            self._identity,
            joining,
            sender,
            confirming,
            groups,
            Governing(store.members, standings, sender, settings.groups.list_uids),
            Amending(store.log, standings, sender, settings.chat.text_bytes),
            roster,
            profiles,
            clock,
            tasks,
            settings.chat,
        )

    def start(self) -> None:
        """Watch for logins that end, for what no publish has brought, and for nodes that say so."""
        self._tasks.spawn(self.roster.hear_all())
        self._tasks.spawn(self._comparing.sweep())
        if not self._settings.open_mode:
            self._tasks.spawn(self._identity.watch(self._settings.revocation_sweep_ms))
            self._tasks.spawn(self._identity.keep(self._settings.session_days))

    def compare(self) -> None:
        """Others may have appended what they did not get to publish: a node has died, say. What is
        in the logs held here and has not come by is read and passed on."""
        self._comparing.compare()

    def drain(self) -> None:
        """Refuse what still comes; write what has been gathered."""
        self.handler.drain()
        self.receipts.flush()

    async def close(self) -> None:
        """End all that runs beside."""
        await self._tasks.close()

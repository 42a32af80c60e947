"""A store in this process's memory: for tests, and as the reference of what a store promises."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet

from tests.memory.held import MemoryHeld
from tests.memory.invitations import MemoryInvitations
from tests.memory.links import MemoryInviteLinks
from tests.memory.nodes import MemoryNodes
from tests.memory.people import MemoryAccounts, MemoryKeptReceipts, MemoryLogins
from tests.memory.state import State
from tests.memory.transfer import MemoryTransfer
from webchat.errors import Code, MembersChanged, WebchatError
from webchat.model import (
    NO_POSITION,
    ConvID,
    Entry,
    Group,
    Head,
    Membership,
    Position,
    Seq,
    Uid,
)  # fmt: skip
from webchat.ports.accounts import Accounts, Logins, fold
from webchat.ports.clock import Clock
from webchat.ports.following import Following, FollowingInTurn
from webchat.ports.held import Held
from webchat.ports.invitations import Invitations
from webchat.ports.kept import KeptReceipts
from webchat.ports.links import InviteLinks
from webchat.ports.log import Append, AppendDone, Log, check_append
from webchat.ports.members import Members
from webchat.ports.nodes import Nodes
from webchat.ports.positions import Move, MoveDone, Positions
from webchat.ports.store import Mode, made_in_other_mode
from webchat.ports.transfer import Transfer

Check = Callable[[], None]


class MemoryStore:
    """All ports of a store. While `is_down` is set, every call fails with UNAVAILABLE."""

    log: Log
    members: Members
    following: Following
    positions: Positions
    accounts: Accounts
    logins: Logins
    kept: KeptReceipts
    held: Held
    invitations: Invitations
    links: InviteLinks
    nodes: Nodes
    transfer: Transfer

    def __init__(self, clock: Clock) -> None:
        self.is_down = False
        self._mode: Mode | None = None
        state, batch = State(), _Batch()
        self.log = _MemoryLog(state, batch, self._check_up, clock)
        self.members = _MemoryMembers(state, self._check_up)
        self.following = FollowingInTurn(self.log, self.members)
        accounts = MemoryAccounts(self._check_up)
        self.positions = _MemoryPositions(state, batch, accounts, self._check_up)
        self.accounts = accounts
        self.logins = logins = MemoryLogins(self._check_up, clock)
        self.kept = kept = MemoryKeptReceipts(self._check_up)
        self.held = held = MemoryHeld(self._check_up)
        self.invitations = MemoryInvitations(state, self._check_up)
        self.links = links = MemoryInviteLinks(self._check_up)
        self.nodes = MemoryNodes(self._check_up)
        parts = (accounts, logins, kept, held, links)
        self.transfer = MemoryTransfer(state, parts, self._check_up)

    async def open(self, mode: Mode) -> None:
        """Take the mode. Raises StoreRefused if it was opened in the other before."""
        if self._mode is not None and self._mode != mode:
            raise made_in_other_mode("this store", self._mode, mode, "another one")
        self._mode = mode

    async def trouble(self) -> str:
        """Something while `is_down` is set."""
        return "the store is not answering" if self.is_down else ""

    async def close(self) -> None:
        """Let what is queued be done; the contents stay, for a next `open`."""
        await asyncio.sleep(0)

    def _check_up(self) -> None:
        if self.is_down:
            raise WebchatError(Code.UNAVAILABLE, "the store is not answering")


class _Batch:
    """Acts that are done together in the loop's next turn, in the order they were queued."""

    def __init__(self) -> None:
        self._acts: list[Callable[[], None]] = []

    def queue(self, act: Callable[[], None]) -> None:
        if not self._acts:
            asyncio.get_running_loop().call_soon(self._run)
        self._acts.append(act)

    def _run(self) -> None:
        acts, self._acts = self._acts, []
        loop = asyncio.get_running_loop()
        for act in acts:
            try:
                act()
            except Exception as error:
                loop.call_exception_handler({"message": "a `done` call failed", "exception": error})


class _MemoryLog:
    def __init__(self, state: State, batch: _Batch, check_up: Check, clock: Clock) -> None:
        self._state = state
        self._batch = batch
        self._check_up = check_up
        self._clock = clock

    def append(self, request: Append, done: AppendDone) -> None:
        check_append(request)
        self._batch.queue(lambda: self._append(request, done))

    async def read(self, conv: ConvID, after: Seq, limit: int) -> list[Entry]:
        self._check_up()
        start = max(after, 0)
        return self._state.entries.get(conv, [])[start : start + limit]

    async def read_each(
        self, places: Mapping[ConvID, Seq], limit: int
    ) -> Mapping[ConvID, list[Entry]]:
        found = {conv: await self.read(conv, after, limit) for conv, after in places.items()}
        return {conv: entries for conv, entries in found.items() if entries}

    async def read_before(self, conv: ConvID, before: Seq | None, limit: int) -> list[Entry]:
        self._check_up()
        entries = self._state.entries.get(conv, [])
        end = len(entries) if before is None else min(max(before - 1, 0), len(entries))
        return entries[max(end - limit, 0) : end]

    async def find(self, conv: ConvID, sender: Uid, msg_id: str) -> Entry | None:
        self._check_up()
        return self._state.find(conv, sender, msg_id)

    async def heads(self, convs: Sequence[ConvID]) -> Mapping[ConvID, Head]:
        self._check_up()
        heads = self._state.heads
        return {conv: heads[conv] for conv in convs if conv in heads}

    async def reactions(
        self, conv: ConvID, seqs: Sequence[Seq], limit: int, since: Uid = ""
    ) -> Mapping[Seq, Mapping[Uid, str]]:
        self._check_up()
        found = {seq: sorted(self._state.reactions.get((conv, seq), {}).items()) for seq in seqs}
        listed = {
            seq: [(uid, body) for uid, (body, _) in reactions if uid >= since][:limit]
            for seq, reactions in found.items()
        }
        return {seq: dict(reactions) for seq, reactions in listed.items() if reactions}

    def _append(self, request: Append, done: AppendDone) -> None:
        try:
            self._check_up()
            outcome = self._state.append(request, self._clock.now_ms())
        except (MembersChanged, WebchatError) as refusal:
            done(refusal)
        else:
            done(outcome)


class _MemoryMembers:
    def __init__(self, state: State, check_up: Check) -> None:
        self._state = state
        self._spans = state.spans
        self._check_up = check_up

    async def of_user(self, uid: Uid) -> Sequence[Membership]:
        self._check_up()
        return [users[uid][-1] for users in self._spans.values() if uid in users]

    async def spans(self, conv: ConvID, uid: Uid) -> Sequence[Membership]:
        self._check_up()
        return list(self._spans.get(conv, {}).get(uid, ()))

    async def page(self, conv: ConvID, after: Uid, limit: int) -> Sequence[Membership]:
        self._check_up()
        later = [span for span in self._state.present(conv) if span.uid > after]
        return sorted(later, key=lambda span: span.uid)[:limit]

    async def count(self, conv: ConvID) -> int:
        self._check_up()
        return len(self._state.present(conv))

    async def at(self, conv: ConvID, seq: Seq, limit: int) -> tuple[Sequence[Uid], int]:
        self._check_up()
        members = [
            (span.since, span.uid)
            for spans in self._spans.get(conv, {}).values()
            for span in spans
            if span.since <= seq and (span.until is None or span.until > seq)
        ]
        return [uid for _, uid in sorted(members)[:limit]], len(members)

    async def group(self, conv: ConvID) -> Group | None:
        self._check_up()
        return self._state.groups.get(conv)

    async def public(self, prefix: str, after: ConvID, limit: int) -> Sequence[Group]:
        self._check_up()
        found = [
            group
            for conv, group in sorted(self._state.groups.items())
            if group.public and not group.closed and conv > after
            if fold(group.name).startswith(fold(prefix))
        ]
        return found[:limit]

    async def present_among(self, conv: ConvID, uids: Sequence[Uid]) -> Mapping[Uid, Membership]:
        self._check_up()
        asked = set(uids)
        return {span.uid: span for span in self._state.present(conv) if span.uid in asked}

    async def successor(self, conv: ConvID, uid: Uid) -> Membership | None:
        self._check_up()
        others = [span for span in self._state.present(conv) if span.uid != uid]
        order = sorted(others, key=lambda span: (span.role != "admin", span.since, span.uid))
        return order[0] if order else None

    async def sharing(self, uid: Uid, others: Sequence[Uid]) -> AbstractSet[Uid]:
        self._check_up()
        together = [{span.uid for span in self._state.present(conv)} for conv in self._spans]
        return {other for people in together if uid in people for other in people & set(others)}


class _MemoryPositions:
    def __init__(
        self, state: State, batch: _Batch, accounts: MemoryAccounts, check_up: Check
    ) -> None:
        self._state = state
        self._batch = batch
        self._accounts = accounts
        self._check_up = check_up

    def move(self, moves: Sequence[Move], done: MoveDone) -> None:
        self._batch.queue(lambda: self._move(moves, done))

    async def of_user(self, uid: Uid, convs: Sequence[ConvID]) -> Mapping[ConvID, Position]:
        self._check_up()
        positions = self._state.positions
        return {conv: positions[conv, uid] for conv in convs if (conv, uid) in positions}

    async def of_members(self, conv: ConvID, uids: Sequence[Uid]) -> Mapping[Uid, Position]:
        self._check_up()
        positions = self._state.positions
        return {uid: positions[conv, uid] for uid in uids if (conv, uid) in positions}

    async def counts(
        self, conv: ConvID, author: Uid, seqs: Sequence[Seq]
    ) -> Mapping[Seq, tuple[int, int]]:
        self._check_up()
        others = [span for span in self._state.present(conv) if span.uid != author]
        return {
            seq: self._count([span for span in others if span.since < seq], seq) for seq in seqs
        }

    def _count(self, readers: Sequence[Membership], seq: Seq) -> tuple[int, int]:
        delivered = displayed = 0
        for reader in readers:
            position = self._state.positions.get((reader.conv, reader.uid), NO_POSITION)
            delivered += position.delivered >= seq
            displayed += position.displayed >= seq and self._accounts.shows_display(reader.uid)
        return delivered, displayed

    def _move(self, moves: Sequence[Move], done: MoveDone) -> None:
        try:
            self._check_up()
            outcome = [self._state.move(move) for move in moves]
        except WebchatError as refusal:
            done(refusal)
        else:
            done(outcome)

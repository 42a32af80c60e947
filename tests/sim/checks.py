"""What must hold when a story has come to rest: each promise, for each log, device and receipt."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from tests.properties.ledger import Ledger, ledger_of, only
from tests.properties.parts import Known
from tests.sim.device import Device
from tests.sim.history import Sent
from tests.sim.page_checks import PageChecks
from tests.sim.receipts import check_authors_are_told, check_counts
from tests.sim.violations import Violation, require
from webchat.model import NO_POSITION, user_log
from webchat.service.history import History as PastEntries

if TYPE_CHECKING:
    from tests.sim.world import World

_MOST: Final = 10_000
HELD: Final = "held messages"
MEMBERSHIP: Final = "membership at the log's position"
AMENDED: Final = "edits, deletions and reactions"
RULES: Final = "roles and properties of groups"
_SNAPSHOT_S: Final = 3.0


class Checks:
    """Compares what devices saw with the logs, and the logs with what they may say."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.store: Any = world.engine.truth
        self.history = world.history
        self.full = [device for device in world.devices if isinstance(device, Device)]
        self.ledgers: dict[str, Ledger] = {}

    async def all(self) -> None:
        """Raises Violation for the first promise that does not hold."""
        for conv in self._convs():
            self.ledgers[conv] = await self._ledger(conv)
        self.world.ledgers = self.ledgers
        await self._check_user_logs()
        await self._check_members()
        self._check_acks()
        self._check_held()
        self._check_refusals()
        self._check_order()
        for device in self.full:
            await self._fetch_what_was_passed(device)
            self._check_skips(device)
            for conv, known in device.memory.known.items():
                self._check_entries(device, conv, known)
            await self._check_is_at_the_end(device)
        await PageChecks(self.world, self.ledgers).all()
        await self._check_receipts()

    def _convs(self) -> Iterable[str]:
        people = self.world.people
        pairs = {f"dm:{a}:{b}" for a in people for b in people if a <= b}
        return sorted(pairs | {"group_a", "group_b"})

    # The logs: members as of each entry, N, amendments (promise 8)

    async def _ledger(self, conv: str) -> Ledger:
        entries = await self.store.log.read(conv, 0, _MOST)
        try:
            ledger = ledger_of(conv, entries, self.history.texts)
        except AssertionError as error:
            raise Violation(f"{MEMBERSHIP}: {error}") from error
        said = {e.seq: json.loads(e.envelope)["Body"] for e in entries if e.kind == "message"}
        require(said == ledger.texts, AMENDED, f"{conv}: {said}, not {ledger.texts}")
        reactions = await self.store.log.reactions(conv, list(said), 9_999)
        meant = {seq: each for seq, each in ledger.reactions.items() if each}
        require(reactions == meant, AMENDED, f"{conv}: {reactions}, not {meant}")
        return ledger

    async def _check_user_logs(self) -> None:
        """Promise 4: each is told of each conversation it is in, once."""
        for uid in self.world.people:
            entries = await self.store.log.read(user_log(uid), 0, _MOST)
            said = [json.loads(entry.envelope) for entry in entries]
            told = [json.loads(each["Body"]) for each in said if each["EvtType"] == "conversation"]
            for conv, ledger in self.ledgers.items():
                said = sorted((uid, t["state"], t["Seq"]) for t in told if t["Conv"] == conv)
                meant = sorted(each for each in ledger.told if each[0] == uid)
                require(said == meant, "nobody is forgotten", f"{uid} of {conv}: {said}, {meant}")

    async def _check_members(self) -> None:
        for conv, ledger in self.ledgers.items():
            page = await self.store.members.page(conv, "", _MOST)
            members = [row.uid for row in page]
            said = f"{conv}: {members}, not {ledger.members()}"
            require(members == ledger.members(), MEMBERSHIP, said)
            if not ledger.is_pair and ledger.entries:
                await self._check_rules(conv, ledger, {row.uid: row.role for row in page})

    async def _check_rules(self, conv: str, ledger: Ledger, roles: dict[str, str]) -> None:
        """Who may what in a group, and what is true of it, is what its log says."""
        require(roles == ledger.roles, RULES, f"{conv}: {roles}, not {ledger.roles}")
        owners = [uid for uid, role in roles.items() if role == "owner"]
        require(len(owners) == bool(roles), RULES, f"{conv} is owned by {owners}")
        group = await self.store.members.group(conv)
        stored = {name: getattr(group, name) for name in ledger.group}
        require(stored == ledger.group, RULES, f"{conv} is {stored}, not {ledger.group}")
        past = PastEntries(self.store.log, self.store.members)
        for uid in roles:
            first = (await past.after(uid, conv, 0, 1)).items[0].seq
            meant = 1 if stored.get("history_open") else ledger.spans[uid][0][0]
            require(first == meant, RULES, f"{uid} reads {conv} from {first} on, not {meant}")

    # Acks (promises 1, 3, 5)

    def _check_acks(self) -> None:
        for conv, ledger in self.ledgers.items():
            keys = [(e["Originated"] or e["From"], e["MsgID"]) for e in ledger.entries]
            twice = sorted({key for key in keys if key[1] and keys.count(key) > 1})
            require(not twice, "appended once", f"{conv}: {twice}")
        for ack in self.history.acks:
            found = only(self.ledgers[ack.conv].entries, ack.msg_id, ack.uid)
            said = f"{ack.uid}'s {ack.msg_id} was acked at {ack.seq} of {ack.conv}, is at {found}"
            # Without a MsgID it may be done again.
            is_there = found == [ack.seq] if ack.msg_id else ack.seq in found
            require(is_there, "durable before the ack", said)

    def _check_held(self) -> None:
        """What was held for a group is in it, once, if its sender has been in all the time, and
        all members could write there."""
        for device in self.world.devices:
            for sent in device.acts:
                ledger = self.ledgers[sent.conv]
                spans = ledger.spans.get(device.uid, [])
                is_held = bool(sent.answer and sent.answer.get("held"))
                may_write = [until for _, until in spans] == [None] and not _was_quiet(ledger)
                if is_held and may_write:
                    found = only(ledger.entries, sent.msg_id, device.uid)
                    said = f"{device.name}'s {sent.msg_id} for {sent.conv} is at {found}"
                    require(len(found) == 1, HELD, said)

    def _seq_of(self, sent: Sent, uid: str) -> int | None:
        """Where an act is that was acked; None: nowhere, or nowhere yet."""
        answer = sent.answer or {}
        if not answer.get("held"):
            return answer.get("Seq")
        found = only(self.ledgers[sent.conv].entries, sent.msg_id, uid)
        return found[0] if found else None

    def _check_refusals(self) -> None:
        """What was refused for good is not in the log: a MsgID is looked up before all else.

        In open mode, where groups come later, a node may refuse what another one still decides on
        (docs/todo.md)."""
        for uid, sent, code in self.history.refused:
            if sent.msg_id and not (sent.has_moved and self.world.is_open):
                found = only(self.ledgers[sent.conv].entries, sent.msg_id, uid)
                require(not found, "send again without fear", f"{sent.msg_id}: {code}, at {found}")

    def _check_order(self) -> None:
        """Promise 5: who goes on after the ack has its acts in the order it did them. Who does not
        wait has those that were sent once, on one connection, where no change of members may make
        the node decide on one of them anew."""
        for device in self.world.devices:
            streams: dict[object, list[Sent]] = {}
            for sent in device.acts:
                once = sent.tries == 1 and sent.conv.startswith("dm:")
                if device.window == 1 or once:
                    link = None if device.window == 1 else sent.link
                    streams.setdefault((sent.conv, link), []).append(sent)
            for acts in streams.values():
                # What was held comes after the entry that made its group, whoever did so later.
                found = [self._seq_of(each, device.uid) for each in acts if each.kind != "create"]
                seqs = [seq for seq in found if seq is not None]
                said = f"{device.name} in {acts[0].conv}: {seqs}"
                require(seqs == sorted(seqs), "a sender's order", said)

    # Devices (promises 2, 4, 7, 8)

    async def _fetch_what_was_passed(self, device: Device) -> None:
        """By REST, as a `skip` with `more` says."""
        past = PastEntries(self.store.log, self.store.members)
        for conv, known in device.memory.known.items():
            visible = self._visible(device.uid, conv, 0, known.position)
            for seq in sorted(known.passed & visible):
                page = await past.after(device.uid, conv, seq - 1, 1)
                known.entries[seq] = json.loads(page.items[0].envelope)
            known.passed.clear()

    def _visible(self, uid: str, conv: str, after: int, to: int) -> set[int]:
        if conv.startswith("user:"):
            return set(range(after + 1, to + 1))
        return self.ledgers[conv].visible(uid, after, to)

    def _check_skips(self, device: Device) -> None:
        for skip in device.memory.skips:
            seen = self._visible(device.uid, skip.conv, skip.position, skip.seq)
            said = f"{device.name}: {skip} passes {sorted(seen)}"
            ledger = self.ledgers[skip.conv]
            is_right = bool(seen) == skip.more or (not seen and ledger.was_open)
            require(is_right, "nobody is forgotten", said)
            n = sum(entry["EvtType"] == "message" for entry in ledger.entries[: skip.seq])
            require(skip.n == n, "counts", f"{device.name}: {skip}, N is {n}")

    def _check_entries(self, device: Device, conv: str, known: Known) -> None:
        missing = self._visible(device.uid, conv, known.start, known.position) - set(known.entries)
        said = f"{device.name} misses {sorted(missing)} of {conv}"
        require(not missing, "nobody is forgotten", said)
        newest = max(known.entries, default=0)
        too_much = set(known.entries) - self._visible(device.uid, conv, 0, newest)
        said = f"{device.name} has {sorted(too_much)} of {conv}"
        was_open = conv in self.ledgers and self.ledgers[conv].was_open
        require(was_open or not too_much, MEMBERSHIP, said)
        if not conv.startswith("user:"):
            for seq, envelope in known.entries.items():
                self._check_same(device, envelope, self.ledgers[conv].entries[seq - 1])

    def _check_same(self, device: Device, here: dict[str, Any], logged: dict[str, Any]) -> None:
        kind = "join" if here["EvtType"] == "refer" else here["EvtType"]
        names = ("From", "Originated", "MsgID", "Refers")
        same = kind == logged["EvtType"] and all(here.get(n) == logged.get(n) for n in names)
        require(same, "one order", f"{device.name}: {here} is not {logged}")

    async def _check_is_at_the_end(self, device: Device) -> None:
        """Promise 6: with no new traffic it has come to the end of every log it is in."""
        log = user_log(device.uid)
        heads = await self.store.log.heads([log, *self.ledgers])
        for conv, ledger in self.ledgers.items():
            if device.uid in ledger.members():
                at = device.memory.now.get(conv, 0)
                said = f"{device.name} is at {at} of {conv}, whose end is {heads[conv].last}"
                require(at == heads[conv].last, "delivered in time", said)
                n = device.memory.of(conv).n
                require(n == ledger.n, "counts", f"{device.name}: {n} in {conv}, not {ledger.n}")
        at, last = device.memory.now.get(log, 0), heads[log].last if log in heads else 0
        require(at == last, "delivered in time", f"{device.name} is at {at} of {log}, not {last}")

    # Receipts

    async def _check_receipts(self) -> None:
        for conv, ledger in self.ledgers.items():
            places = await self.store.positions.of_members(conv, sorted(ledger.spans))
            check_authors_are_told(self.world, conv, ledger, places)
        for device in self.full:
            mine = [c for c, ledger in self.ledgers.items() if device.uid in ledger.members()]
            device.memory.snapshots.clear()
            device.sync({}, mine)
        await asyncio.sleep(_SNAPSHOT_S)
        for conv, ledger in self.ledgers.items():
            await self._check_receipts_of(conv, ledger)

    async def _check_receipts_of(self, conv: str, ledger: Ledger) -> None:
        members = ledger.members()
        stored = await self.store.positions.of_members(conv, sorted(ledger.spans))
        places = {uid: stored.get(uid, NO_POSITION) for uid in ledger.spans}
        rows = sorted([uid, places[uid].delivered, places[uid].displayed] for uid in members)
        for device in self.full:
            if device.uid in members:
                shown = sorted(device.memory.snapshots.get(conv, []))
                if self.world.is_counted and conv.startswith("group_"):
                    mine = [row[0] for row in shown]
                    check_counts(device, conv, mine, ledger, places)
                else:
                    said = f"{device.name} is shown {shown} of {conv}, not {rows}"
                    require(shown == rows, "receipts", said)
                    self._check_confirmed(device, conv, ledger)
                own = places[device.uid]
                known = device.memory.positions.get(conv, (0, 0, 0))
                said = f"{device.name} thinks {known} of {conv}, stored is {own}"
                require(known == (own.delivered, own.displayed, own.n), "receipts", said)
        for _, kind, told_conv, reader, seq in self.world.told_receipts:
            if told_conv == conv and reader in places:
                place = places[reader]
                held = place.delivered if kind == "delivery" else place.displayed
                require(seq <= held, "receipts", f"{reader} {kind} {seq} of {conv}, at {held}")

    def _check_confirmed(self, device: Device, conv: str, ledger: Ledger) -> None:
        """What was acked holds, for as long as its reader stayed in."""
        for kind, at in (("delivery", 1), ("display", 2)):
            seq = min(device.confirmed.get((kind, conv), 0), len(ledger.entries))
            (row,) = [row for row in device.memory.snapshots[conv] if row[0] == device.uid]
            if len(ledger.spans[device.uid]) == 1:
                require(row[at] >= seq, "receipts", f"{device.name}: {kind} {seq} of {conv}: {row}")


def _was_quiet(ledger: Ledger) -> bool:
    """Whether the group is closed, or was for announcements at some time."""
    changes = [json.loads(e["Body"]) for e in ledger.entries if e["EvtType"] == "group"]
    is_closed = any(e["EvtType"] == "close" for e in ledger.entries)
    return is_closed or any(change.get("announcements") for change in changes)

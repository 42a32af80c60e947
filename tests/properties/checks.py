"""What must hold once things have calmed down, for every device, log, list and count."""

from __future__ import annotations

import json
from typing import Any

from tests.chat.world import World
from tests.properties.device import Device
from tests.properties.ledger import Ledger, ledger_of, only
from tests.properties.parts import Known
from webchat.model import NO_POSITION, user_log
from webchat.service.conversations import Conversations, Listed
from webchat.service.history import History

_MOST = 1_000


class Checks:
    """Compares devices with the logs, and the logs with what they may say."""

    def __init__(self, worlds: list[World], devices: list[Device], texts: dict[str, str]) -> None:
        self.world = worlds[0]
        self.store = worlds[0].store
        self.devices = devices
        self.texts = texts
        self.uids = sorted({device.uid for device in devices})
        self.history = History(self.store.log, self.store.members)

    async def all(self) -> None:
        """Every one of them."""
        self.ledgers = {conv: await self._ledger(conv) for conv in self._convs()}
        await self._check_user_logs()
        await self._check_members()
        await self._check_changes()
        for device in self.devices:
            await self._fetch_what_was_passed(device)
            self._check_acks(device)
            self._check_skips(device)
            for conv, known in device.known.items():
                self._check_entries(device, conv, known)
            if device.wire is not None:
                await self._check_live(device)
        await self._check_views()

    def _convs(self) -> list[str]:
        """Every log of a conversation."""
        pairs = {f"dm:{a}:{b}" for a in self.uids for b in self.uids if a <= b}
        known = {conv for device in self.devices for conv in device.known}
        return sorted(pairs | {conv for conv in known if conv.startswith("group_")})

    async def _ledger(self, conv: str) -> Ledger:
        return ledger_of(conv, await self.store.log.read(conv, 0, _MOST), self.texts)

    # The logs

    async def _check_user_logs(self) -> None:
        for uid in self.uids:
            entries = await self.store.log.read(user_log(uid), 0, _MOST)
            told = [json.loads(json.loads(entry.envelope)["Body"]) for entry in entries]
            for conv, ledger in self.ledgers.items():
                said = [(uid, t["state"], t["Seq"]) for t in told if t["Conv"] == conv]
                assert said == [each for each in ledger.told if each[0] == uid], (uid, conv)

    async def _check_members(self) -> None:
        for conv, ledger in self.ledgers.items():
            page = await self.store.members.page(conv, "", _MOST)
            assert [row.uid for row in page] == ledger.members(), conv

    async def _check_changes(self) -> None:
        """What the log makes of edits, deletes and reactions."""
        for conv, ledger in self.ledgers.items():
            stored = await self.store.log.read(conv, 0, _MOST)
            for entry in stored:
                if entry.kind == "message":
                    assert json.loads(entry.envelope)["Body"] == ledger.texts[entry.seq]
            reactions = await self.store.log.reactions(conv, [entry.seq for entry in stored], 9_999)
            assert reactions == {seq: r for seq, r in ledger.reactions.items() if r}, conv

    # Devices

    async def _fetch_what_was_passed(self, device: Device) -> None:
        """By REST, as a `skip` with `more` says."""
        for conv, known in device.known.items():
            visible = self._visible(device.uid, conv, 0, known.position)
            for seq in sorted(known.passed & visible):
                if seq not in known.entries:
                    page = await self.history.after(device.uid, conv, seq - 1, 1)
                    assert page.items[0].seq == seq
                    known.entries[seq] = json.loads(page.items[0].envelope)
            known.passed.clear()

    def _visible(self, uid: str, conv: str, after: int, to: int) -> set[int]:
        if conv.startswith("user:"):
            return set(range(after + 1, to + 1))
        return self.ledgers[conv].visible(uid, after, to)

    def _check_acks(self, device: Device) -> None:
        """What was acked is in the log, once, where the ack said."""
        for _, conv, envelope, seq in device.acked:
            found = only(self.ledgers[conv].entries, envelope["MsgID"], device.uid)
            assert found == [seq], f"{device}: acked at {seq} of {conv}, found at {found}"

    def _check_skips(self, device: Device) -> None:
        for skip in device.skips:
            seen = self._visible(device.uid, skip.conv, skip.position, skip.seq)
            assert bool(seen) == skip.more, f"{device}: {skip} passes {seen}"
            assert skip.n == self._n(skip.conv, skip.seq), f"{device}: {skip}"

    def _n(self, conv: str, seq: int) -> int:
        entries = self.ledgers[conv].entries[:seq]
        return sum(entry["EvtType"] == "message" for entry in entries)

    def _check_entries(self, device: Device, conv: str, known: Known) -> None:
        expected = self._visible(device.uid, conv, known.start, known.position)
        missing = expected - known.entries.keys()
        assert not missing, f"{device} misses {sorted(missing)} of {conv}"
        too_much = known.entries.keys() - self._visible(device.uid, conv, 0, _MOST)
        assert not too_much, f"{device} has {sorted(too_much)} of {conv}, which it must not see"
        if not conv.startswith("user:"):
            for seq, envelope in known.entries.items():
                self._check_same(envelope, self.ledgers[conv].entries[seq - 1])

    def _check_same(self, here: dict[str, Any], logged: dict[str, Any]) -> None:
        kind = "join" if here["EvtType"] == "refer" else here["EvtType"]
        assert kind == logged["EvtType"]
        for name in ("From", "Originated", "MsgID", "Refers"):
            assert here.get(name) == logged.get(name), (name, here, logged)

    async def _check_live(self, device: Device) -> None:
        """A device that is on has come to the end of every log its user is in."""
        assert device.joined, device
        log = user_log(device.uid)
        heads = await self.store.log.heads([log, *self.ledgers])
        for conv, ledger in self.ledgers.items():
            if device.uid in ledger.members():
                assert device.at(conv) == heads[conv].last, f"{device}, {conv}"
                assert device.of(conv).n == ledger.n, f"{device}, {conv}"
                self._check_texts(device, conv, ledger)
        assert device.at(log) == (heads[log].last if log in heads else 0), device

    def _check_texts(self, device: Device, conv: str, ledger: Ledger) -> None:
        """Texts as the device comes to them from the entries it has."""
        entries, start = device.of(conv).entries, device.of(conv).start
        spans = ledger.spans[device.uid]
        for seq, envelope in entries.items():
            if envelope["EvtType"] != "message" or (spans[-1][0] > seq) or seq <= start:
                continue
            text = _text(seq, envelope, entries)
            assert text == ledger.texts[seq], f"{device}, {conv} {seq}"

    # Lists and counts

    async def _check_views(self) -> None:
        """Snapshots, lists of members and unread counts, as devices and REST see them."""
        live = [device for device in self.devices if device.wire is not None]
        for device in live:
            mine = [conv for conv, log in self.ledgers.items() if device.uid in log.members()]
            device.snapshots.clear()
            device.lists.clear()
            device.sync({}, receipts=mine[:50])
            for conv in mine:
                if conv.startswith("group_"):
                    device.chat("rejoin", conv)
        await self.world.pass_time(1.0)
        for device in live:
            device.read()
            await self._check_lists(device)
            await self._check_positions(device)

    async def _check_lists(self, device: Device) -> None:
        for conv, ledger in self.ledgers.items():
            if conv.startswith("group_") and device.uid in ledger.members():
                seq, uids = device.lists[conv]
                assert (seq, sorted(uids)) == (len(ledger.entries), ledger.members()), device

    async def _check_positions(self, device: Device) -> None:
        conversations = Conversations(
            self.store.following, self.store.members, self.store.positions,
            self.world.profiles, self.history,
        )  # fmt: skip
        listed = {item.conv: item for item in await _every(conversations, device.uid)}
        assert set(listed) == {c for c, log in self.ledgers.items() if device.uid in log.spans}
        for conv, ledger in self.ledgers.items():
            if device.uid not in ledger.members():
                continue
            stored = await self.store.positions.of_members(conv, ledger.members())
            places = {uid: stored.get(uid, NO_POSITION) for uid in ledger.members()}
            own = places[device.uid]
            rows = {uid: [uid, p.delivered, p.displayed] for uid, p in places.items()}
            assert {row[0]: row for row in device.snapshots[conv]} == rows, f"{device}, {conv}"
            assert device.positions[conv] == (own.delivered, own.displayed, own.n)
            assert own.n == self._n(conv, own.displayed), f"{device}, {conv}"
            assert listed[conv].unread == device.of(conv).n - device.positions[conv][2]


async def _every(conversations: Conversations, uid: str) -> list[Listed]:
    found: list[Listed] = []
    before: str | None = None
    while True:
        page = await conversations.page(uid, before, 3)
        found += page.items
        if page.next is None:
            return found
        before = page.next


def _text(seq: int, envelope: dict[str, Any], entries: dict[int, dict[str, Any]]) -> str:
    """A message's text after the changes a device has met, in the order of the log."""
    text, deleted = envelope["Body"], "Deleted" in envelope
    for by in sorted(entries):
        change = entries[by]
        is_change = change["EvtType"] in ("edit", "delete") and change["Refers"] == seq
        if is_change and not deleted:
            text, deleted = change["Body"], change["EvtType"] == "delete"
    return str(text)

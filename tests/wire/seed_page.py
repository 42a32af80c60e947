"""A page of the seed's web client, as far as the server can tell: what it does with what it hears.

It keeps windows, lists and read counts as that page does, answers as it answers, and notes as a
fault whatever that page would stumble over.
"""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from tests.wire.clients import TIMEOUT_S, Envelope, Inbox, SeedWire
from tests.wire.people import Device, SeedKind, Town


def is_group(conv: str) -> bool:
    """What the page takes for a group."""
    return conv[0] == "g"


class Page(Inbox):
    """One page. `windows`: by group or person, the lines shown. `lists`: members by group.

    `read_counts` and `states`: of own messages, by MsgID.
    """

    def __init__(self, device: Device, wire: SeedWire, kind: SeedKind) -> None:
        super().__init__()
        self.kind = kind
        self.device = device
        self.uid = device.uid
        self.wire = wire
        self.focused = True
        self.open_window: str | None = None
        self.windows: dict[str, list[str]] = {}
        self.lists: dict[str, list[str]] = {}
        self.read_counts: dict[str, int] = {}
        self.states: dict[str, str] = {}
        self.closed: set[str] = set()
        self.heard: list[Envelope] = []
        self.faults: list[str] = []
        self._unread: dict[str, list[Envelope]] = defaultdict(list)
        self._outgoing: asyncio.Queue[Envelope | None] = asyncio.Queue()
        self._emitting = asyncio.create_task(self._emit())

    # What it hears

    async def put(self, name: str, args: list[Any]) -> None:
        """Take in what comes, at once."""
        if name == "chat":
            envelope = dict(args[0])
            self.heard.append(envelope)
            getattr(self, f"_{envelope['EvtType']}", self._unknown)(envelope)
        await super().put(name, args)

    async def until(self, what: str, condition: Callable[[], object]) -> None:
        """Wait for the page to show something."""
        async with self._changed:
            try:
                async with asyncio.timeout(TIMEOUT_S):
                    await self._changed.wait_for(condition)
            except TimeoutError:
                raise AssertionError(f"{self.uid} never had {what}: {self.heard}") from None

    async def until_shown(self, window: str, *lines: str) -> None:
        """Wait for a window to show exactly these lines."""
        await self.until(f"{lines}", lambda: self.windows.get(window, []) == list(lines))

    async def until_listed(self, group: str, *uids: str) -> None:
        """Wait for the list of a group to have these members, each once."""
        await self.until(f"{uids}", lambda: sorted(self.lists.get(group, [])) == sorted(uids))

    async def until_read(self, msg_id: str) -> None:
        """Wait for the read count of an own message to be down to nothing."""
        await self.until(f"{msg_id} read", lambda: self.read_counts[msg_id] == 0)

    def count(self, kind: str) -> int:
        """How many events of that EvtType have come."""
        return sum(envelope["EvtType"] == kind for envelope in self.heard)

    def _message(self, envelope: Envelope) -> None:
        window = envelope["From"]
        if window == self.uid or envelope["Originated"] == self.uid:
            self.faults.append("its own message came back")
        self.closed.discard(window)
        if is_group(window) and window not in self.lists:
            self._say("rejoin", window, Body="")
        self._line(window, f"{envelope['Originated'] or window}: {envelope['Body']}")
        self.open_window = self.open_window or window
        self._confirm("delivery", envelope)
        self._unread[window].append(envelope)
        if self.focused and window == self.open_window:
            self.read(window)

    def _delivery(self, envelope: Envelope) -> None:
        if self.states.get(envelope["MsgID"]) == "sent":
            self.states[envelope["MsgID"]] = "delivery"

    def _display(self, envelope: Envelope) -> None:
        msg_id = envelope["MsgID"]
        if msg_id in self.read_counts:
            self.states[msg_id] = "display"
            self.read_counts[msg_id] -= 1
            if self.read_counts[msg_id] < 0:
                self.faults.append(f"a display too many for {msg_id}")

    def _notify(self, envelope: Envelope) -> None:
        self.lists[envelope["From"]] = json.loads(envelope["Body"])

    def _restart(self, envelope: Envelope) -> None:
        group = envelope["From"]
        self._say("rejoin", group, Body=json.dumps(self.lists[group]))

    def _join(self, envelope: Envelope) -> None:
        group, joined = envelope["From"], json.loads(envelope["Body"])
        if group in self.lists:
            self.lists[group] += joined
        self._notice(group, f"+ {' '.join(joined)}", needs_list=True)

    def _depart(self, envelope: Envelope) -> None:
        group, left = envelope["From"], envelope["Originated"]
        if group in self.lists:
            self.lists[group] = [uid for uid in self.lists[group] if uid != left]
        self._notice(group, f"- {left}", needs_list=False)

    def _notice(self, group: str, line: str, *, needs_list: bool) -> None:
        """A line in a window. Without one, or the list, the page throws: the line is lost, and by
        polling the page does not poll any more."""
        if group in self.windows and (group in self.lists or not needs_list):
            self._line(group, line)
        elif self.kind == "seed-polling":
            self.faults.append(f"a notice that it cannot show: {line}")

    def _unknown(self, envelope: Envelope) -> None:
        self.faults.append(f"it knows no {envelope['EvtType']}")

    def _line(self, window: str, line: str) -> None:
        self.windows.setdefault(window, []).append(line)

    # What it says

    def send(self, to: str, body: str) -> str:
        """Send a message, as the page does: a JSON string, no ack asked for. Returns its MsgID."""
        msg_id = str(uuid.uuid4())
        self.read_counts[msg_id] = len(self.lists[to]) - 1 if is_group(to) else 1
        self.states[msg_id] = "sent"
        self._line(to, f"{self.uid}: {body}")
        self._say("message", to, MsgID=msg_id, Body=body)
        return msg_id

    def create(self, *uids: str) -> str:
        """Make a group of the page's own choice of id, and open its window."""
        group = f"group_{uuid.uuid4()}"
        self.lists[group] = [*uids, self.uid]
        self.windows[group] = []
        self.open_window = group
        self._say("create", group, Body=json.dumps(self.lists[group]))
        return group

    def refer(self, group: str, *uids: str) -> None:
        """Add people."""
        self._say("refer", group, Body=json.dumps(uids))

    def depart(self, group: str) -> None:
        """Leave, and close the window."""
        self.closed.add(group)
        self._say("depart", group, Body="")

    def read(self, window: str) -> None:
        """Look at a window: what is unread in it is displayed."""
        self.open_window = window
        for envelope in self._unread.pop(window, []):
            self._confirm("display", envelope)

    def _confirm(self, kind: str, envelope: Envelope) -> None:
        in_group = is_group(envelope["To"])
        self._outgoing.put_nowait({
            "EvtType": kind,
            "From": envelope["From"] if in_group else self.uid,
            "Originated": self.uid if in_group else "",
            "To": envelope["Originated"] if in_group else envelope["From"],
            "MsgID": envelope["MsgID"],
            "Timestamp": int(time.time()),
        })  # fmt: skip

    def _say(self, kind: str, to: str, **fields: str) -> None:
        in_group = is_group(to)
        self._outgoing.put_nowait({
            "EvtType": kind, "From": to if in_group else self.uid,
            "Originated": self.uid if in_group else "", "To": to, "MsgID": "",
            "Timestamp": int(time.time()), **fields,
        })  # fmt: skip

    async def _emit(self) -> None:
        while (envelope := await self._outgoing.get()) is not None:
            await self.wire.emit("chat", json.dumps(envelope, ensure_ascii=False))

    async def drop(self) -> None:
        """Lose the network and come back, without joining again."""
        await self.wire.drop()
        await self.take("reconnect", lambda heard: heard[0] == "reconnect")

    async def shut(self) -> None:
        """Say what is left, and nothing more."""
        self._outgoing.put_nowait(None)
        await self._emitting


class Pages:
    """The pages of a test; `close` at its end."""

    def __init__(self, town: Town) -> None:
        self.town = town
        self._pages: list[Page] = []

    async def open(self, uid: str, kind: SeedKind = "seed-upgrade") -> Page:
        """Open a page, which joins."""
        device = await self.town.connect(uid, kind)
        assert isinstance(device.wire, SeedWire)
        page = Page(device, device.wire, kind)
        device.wire.inbox = page
        self._pages.append(page)
        assert (await device.join(uid))["ok"] is True
        return page

    async def people(self, *names: str, kind: SeedKind = "seed-upgrade") -> list[Page]:
        """New people, each with a page that is live."""
        return [await self.open(self.town.person(name), kind) for name in names]

    async def shut(self, page: Page) -> None:
        """Close a page."""
        await page.shut()
        self._pages.remove(page)
        await self.town.leave(page.device)

    async def close(self) -> None:
        """No page says anything more; none has stumbled."""
        for page in self._pages:
            await page.shut()
        faults = {page.uid: page.faults for page in self._pages if page.faults}
        assert not faults, faults

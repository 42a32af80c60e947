"""Races: what several nodes are asked at the same time, so that each decides without the others.

Some of it people do on their devices, some by REST, which the nodes' services stand for here.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from random import Random
from typing import TYPE_CHECKING, Any, Final

from tests.properties.ledger import Ledger
from tests.sim.device import Device
from tests.sim.node import LINKS_PER_GROUP, Node
from tests.sim.violations import require
from webchat.errors import Code, WebchatError
from webchat.model import InviteLink, Profile, user_log
from webchat.service.accounts import ProfileChange
from webchat.service.standing import ADMINS
from webchat.service.tokens import Issued

if TYPE_CHECKING:
    from tests.sim.world import World

STRANGERS: Final = ("yara", "zoe")
"""They want to be asked before somebody adds them, talk to nobody, and have no devices."""
GROUPS: Final = ("group_a", "group_b")
DELETED: Final = "deleted is deleted"
LINKS: Final = "links"
INVITATIONS: Final = "invitations"
SETTINGS: Final = "settings"
LOGINS: Final = "logins"
_FOREVER_MS: Final = 2**50
_AT_ONCE_S: Final = 0.04
_ALL: Final = 10_000
_TESTS: Final = "the story's"
"""Who makes the links that people open, which no bound holds for."""


@dataclass
class _Opened:
    """A link for one that somebody opened on two nodes at once, and what they said."""

    conv: str
    uid: str
    link: str
    said: list[Any] = field(default_factory=list)


@dataclass
class _Answered:
    """An invitation that was accepted and declined at once, and what the nodes said."""

    conv: str
    uid: str
    id: str
    said: dict[str, Any] = field(default_factory=dict)


class Races:
    """`rng`: of their own, so that the rest of a story stays as it is without them."""

    def __init__(self, world: World, rng: Random) -> None:
        self._world = world
        self._rng = rng
        self._truth: Any = world.engine.truth
        self._ids = count(1)
        self._opened: list[_Opened] = []
        self._answered: dict[str, _Answered] = {}
        self._renamed: dict[str, list[object]] = {}
        self._tokens: dict[str, str] = {}
        self._ended: set[str] = set()

    def times(self, within_s: float) -> list[float]:
        """When they begin, in seconds from now."""
        return [self._rng.uniform(0.5, within_s - 0.5) for _ in range(self._rng.randint(2, 7))]

    def begin(self) -> None:
        """Somebody is about to do something twice, or two at once."""
        races = [
            self._edit_and_delete, self._edit_and_delete, self._bring_in, self._bring_in,
            self._ask, self._answer, self._answer, self._open, self._open, self._make_links,
            self._rename, self._rename, self._log_in, self._log_in,
        ]  # fmt: skip
        self._world.loop.create_task(self._rng.choice(races)())

    # By devices

    async def _edit_and_delete(self) -> None:
        """The author of a message, on two devices."""
        found = [
            (phone, laptop, conv, seq)
            for phone in self._devices()
            for laptop in self._devices()
            if phone.uid == laptop.uid and phone is not laptop
            for conv, known in phone.memory.known.items()
            for seq, entry in list(known.entries.items())[-6:]
            if entry["EvtType"] == "message" and phone.uid in (entry["From"], entry["Originated"])
        ]
        if found:
            phone, laptop, conv, seq = self._rng.choice(found)
            for device, kind in ((phone, "edit"), (laptop, "delete")):
                body = "secret" if kind == "edit" else ""
                said = {"Refers": seq, "MsgID": self._id(), "Body": body}
                device.act(kind, addressed(device.uid, conv), **said)

    async def _bring_in(self) -> None:
        """Two members, somebody who has just left."""
        conv = self._rng.choice(GROUPS)
        ready = [device for device in self._devices() if conv in device.memory.known]
        self._rng.shuffle(ready)
        if len({device.uid for device in ready}) < 3:
            return
        leaver = ready[0]
        leaver.act("depart", conv, MsgID=self._id())
        await asyncio.sleep(self._rng.uniform(0.1, 0.5))
        others = {device.uid: device for device in ready if device.uid != leaver.uid}
        for device in list(others.values())[:3]:
            device.act("refer", conv, Body=json.dumps([leaver.uid]), MsgID=self._id())

    async def _ask(self) -> None:
        """Two members, a stranger; one of them may add somebody else, too."""
        conv, stranger = self._rng.choice(GROUPS), self._rng.choice(STRANGERS)
        devices = {device.uid: device for device in self._devices()}
        for device in list(devices.values())[:3]:
            others = self._rng.sample(self._world.people, self._rng.randint(0, 1))
            body = json.dumps([stranger, *others])
            device.act("refer", conv, Body=body, MsgID=self._id())

    def _devices(self) -> list[Device]:
        return [
            device
            for device in self._world.devices
            if isinstance(device, Device) and device.is_live and device.wants_online
        ]

    def _id(self) -> str:
        return f"r{next(self._ids)}"

    # By REST

    async def _answer(self) -> None:
        """Somebody accepts an invitation and declines it."""
        await self._ask()
        await asyncio.sleep(self._rng.uniform(0.1, 1.0))
        waiting = [
            invitation
            for uid in STRANGERS
            for invitation in await self._truth.invitations.of_user(uid, _ALL)
            if invitation.id not in self._answered
        ]
        nodes = self._nodes(2)
        if not waiting or not nodes:
            return
        invitation = self._rng.choice(waiting)
        answer = _Answered(invitation.conv, invitation.uid, invitation.id)
        self._answered[invitation.id] = answer
        kinds = self._rng.sample(["accept", "decline"], 2)
        for node, kind in zip(nodes, kinds, strict=True):

            def act(here: Node = node, kind: str = kind) -> Awaitable[object]:
                answering: Callable[[str, str], Awaitable[object]]
                answering = getattr(here.invitations, kind)
                return answering(answer.uid, answer.id)

            def said(outcome: object, kind: str = kind) -> None:
                self._note(f"{answer.uid}'s {kind} of {answer.conv}", outcome)
                answer.said[kind] = outcome

            self._soon(node, act, said)

    async def _open(self) -> None:
        """Somebody opens a link for one."""
        conv = self._rng.choice(GROUPS)
        members = [span.uid for span in await self._truth.members.page(conv, "", _ALL)]
        outside = [uid for uid in (*self._world.people, *STRANGERS) if uid not in members]
        if not members or not outside:
            return
        opened = _Opened(conv, self._rng.choice(outside), self._id())
        rivals = [opened.uid, self._rng.choice((opened.uid, *outside))]
        link = InviteLink(opened.link, conv, _TESTS, _FOREVER_MS, 1)
        code = f"code {opened.link}"
        code_hash = hashlib.sha256(code.encode()).digest()
        nodes = self._nodes(3)
        if not nodes:
            return
        self._opened.append(opened)
        maker, *openers = nodes

        def made(outcome: object) -> None:
            self._note(f"a link {opened.link} to {conv}", outcome)
            if outcome is not True:
                return
            for node, uid in zip(openers, rivals, strict=True):

                def said(outcome: object, uid: str = uid) -> None:
                    self._note(f"{uid} opens {opened.link} to {conv}", outcome)
                    if uid == opened.uid:
                        opened.said.append(outcome)

                def act(here: Node = node, uid: str = uid) -> Awaitable[object]:
                    return here.links.enter(uid, code)

                late_s = self._rng.choice((0.0, 0.0, 1.5))
                self._world.after(late_s, self._soon, node, act, said)

        self._soon(maker, lambda: maker.invite_links.add(code_hash, link, _ALL, 0), made)

    async def _log_in(self) -> None:
        """Somebody without a device logs in while all its logins are ended, and then once more."""
        uid, nodes = self._rng.choice(STRANGERS), self._nodes(2)
        if not nodes:
            return
        coming, ending = nodes

        def ended(outcome: object, before: AbstractSet[str] = frozenset()) -> None:
            self._note(f"all logins of {uid} end", outcome)
            if outcome is None:
                self._ended |= before

        def is_in(outcome: object) -> None:
            self._note(f"{uid} logs in", outcome)
            if not isinstance(outcome, Issued):
                return
            self._tokens[outcome.token] = uid
            if self._rng.random() < 0.6:
                before = {token for token, whose in self._tokens.items() if whose == uid}
                late_s = self._rng.uniform(0.0, 1.0)
                again = partial(ended, before=before)
                self._world.after(late_s, ending.ask, lambda: ending.tokens.revoke_all(uid), again)

        self._soon(coming, lambda: coming.tokens.issue(uid), is_in)
        self._soon(ending, lambda: ending.tokens.revoke_all(uid), ended)

    async def _make_links(self) -> None:
        """An admin makes more links than a group may have."""
        conv = self._rng.choice(GROUPS)
        spans = await self._truth.members.page(conv, "", _ALL)
        admins = [span.uid for span in spans if span.role in ADMINS]
        for node in self._nodes(3) if admins else ():

            def act(here: Node = node) -> Awaitable[object]:
                return here.links.make(admins[0], conv, 86_400, None)

            self._soon(node, act, lambda outcome: self._note(f"a link to {conv}", outcome))

    async def _rename(self) -> None:
        """Somebody changes the own name to two others."""
        uid = self._rng.choice(self._world.people)
        said = self._renamed.setdefault(uid, [])
        for node in self._nodes(2):
            at, change = len(said), ProfileChange(name=self._id())
            said.append(None)

            def answered(outcome: object, at: int = at, name: str | None = change.name) -> None:
                self._note(f"{uid} is now called {name}", outcome)
                said[at] = outcome

            def act(here: Node = node, change: ProfileChange = change) -> Awaitable[object]:
                return here.own_account.change(uid, change)

            self._soon(node, act, answered)

    def _soon(
        self, node: Node, act: Callable[[], Awaitable[object]], said: Callable[[object], None]
    ) -> None:
        """Ask a node, about when others are asked."""
        self._world.after(self._rng.uniform(0.0, _AT_ONCE_S), node.ask, act, said)

    def _nodes(self, number: int) -> Sequence[Node]:
        """So many, each another one as far as there are as many."""
        nodes = [node for node in self._world.nodes if node.serves.is_set()]
        self._rng.shuffle(nodes)
        return [nodes[at % len(nodes)] for at in range(number)] if nodes else ()

    def _note(self, what: str, outcome: object) -> None:
        said = outcome.code.wire if isinstance(outcome, WebchatError) else type(outcome).__name__
        self._world.note(f"{what}: {said}")

    # What must have come of it

    async def check(self, ledgers: dict[str, Ledger]) -> None:
        """Raises Violation."""
        for conv, ledger in ledgers.items():
            self._check_deleted(conv, ledger)
        for opened in self._opened:
            self._check_opened(opened, ledgers[opened.conv])
        for answered in self._answered.values():
            self._check_answered(answered, ledgers[answered.conv])
        for uid in STRANGERS:
            await self._check_asked(uid)
        for uid, said in self._renamed.items():
            if said and all(isinstance(outcome, Profile) for outcome in said):
                await self._check_renamed(uid)
        for token, uid in self._tokens.items():
            await self._check_login(token, uid)
        for conv in GROUPS:
            links = await self._truth.links.of_group(conv, 0)
            made = [link for link in links if link.by != _TESTS]
            require(len(made) <= LINKS_PER_GROUP, LINKS, f"{conv} has {len(made)}")

    async def _check_login(self, token: str, uid: str) -> None:
        """It is one of its user's, whom nothing else could end it for, or it has ended."""
        login = await self._truth.logins.find(hashlib.sha256(token.encode()).digest())
        listed = {each.id for each in await self._truth.logins.of_user(uid)}
        require(login is None or login.id in listed, LOGINS, f"{uid}'s {login} is not listed")
        require(login is None or token not in self._ended, LOGINS, f"{uid}'s {login} was ended")

    def _check_deleted(self, conv: str, ledger: Ledger) -> None:
        """Its text is nowhere in the log."""
        for entry in ledger.entries:
            if entry["EvtType"] == "edit" and entry["Refers"] in ledger.deleted:
                said = f"{entry['Seq']} of {conv} says {entry['Body']!r}"
                require(entry["Body"] == "", DELETED, said)

    def _check_opened(self, opened: _Opened, ledger: Ledger) -> None:
        """It lets one in, and says to nobody who came in by it that it does not."""
        came = [e for e in ledger.entries if e["MsgID"].startswith(f"{opened.link}-")]
        require(len(came) <= 1, LINKS, f"{opened.link} for one let in {len(came)}")
        is_refused = any(_is(said, Code.NOT_FOUND) for said in opened.said)
        stays = [since for since, until in ledger.spans.get(opened.uid, []) if until is None]
        said = f"{opened.uid} came into {opened.conv} by {opened.link}, and was refused"
        require(not (came and is_refused and came[0]["Seq"] in stays), LINKS, said)

    def _check_answered(self, answered: _Answered, ledger: Ledger) -> None:
        """It is accepted or declined."""
        is_declined = answered.said.get("decline", answered) is None
        came = [entry["Seq"] for entry in ledger.entries if entry["MsgID"] == answered.id]
        said = f"{answered.id} of {answered.uid} was declined, and came to {came}"
        require(not (is_declined and came), INVITATIONS, said)

    async def _check_asked(self, uid: str) -> None:
        """Nobody is asked again who has neither answered nor been put out."""
        entries = await self._truth.log.read(user_log(uid), 0, _ALL)
        told = [json.loads(json.loads(entry.envelope)["Body"]) for entry in entries]
        for conv in GROUPS:
            asked = [said["id"] for said in told if "id" in said and said["Conv"] == conv]
            open_ones = [id_ for id_ in asked if id_ not in self._answered]
            left = sum(said["Conv"] == conv and said.get("state") == "left" for said in told)
            said = f"{uid} is asked into {conv} by {asked}, of which {open_ones} have no answer"
            require(len(open_ones) <= 1 + left, INVITATIONS, said)

    async def _check_renamed(self, uid: str) -> None:
        """The last that its devices were told is what holds."""
        entries = await self._truth.log.read(user_log(uid), 0, _ALL)
        said = [json.loads(entry.envelope) for entry in entries]
        told = [json.loads(each["Body"])["name"] for each in said if each["EvtType"] == "setting"]
        profile = await self._truth.accounts.profile(uid)
        require(told[-1] == profile.name, SETTINGS, f"{uid} is {profile.name}, and was told {told}")


def _is(outcome: object, code: Code) -> bool:
    return isinstance(outcome, WebchatError) and outcome.code is code


def addressed(uid: str, conv: str) -> str:
    """Whom an act of this user in a conversation is addressed to."""
    if conv.startswith("group_"):
        return conv
    _, a, b = conv.split(":")
    return b if a == uid else a

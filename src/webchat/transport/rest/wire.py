"""The bodies and queries of the own REST API (docs/protocol.md, section 8). Times in ms."""

from __future__ import annotations

import msgspec
from msgspec import UNSET, Struct, UnsetType

from webchat import model
from webchat.model import Profile
from webchat.service import directory, entering
from webchat.service.account_rules import WhoMayAddMe
from webchat.service.conversations import Described, Listed
from webchat.service.pages import DEFAULT_LIMIT


class Registration(Struct):
    """A new account."""

    uid: str
    name: str
    password: str


class Credentials(Struct):
    """Who logs in."""

    uid: str
    password: str


class User(Struct):
    """Somebody, briefly."""

    uid: str
    name: str


class LoggedIn(Struct):
    """A token, shown this once, and whose it is."""

    token: str
    expires_at: int
    user: User


class Me(Struct):
    """The own account."""

    uid: str
    name: str
    about: str
    display_receipts: bool
    who_may_add_me: WhoMayAddMe

    @classmethod
    def of(cls, profile: Profile) -> Me:
        """From a profile."""
        return msgspec.convert(profile, cls, from_attributes=True)


class MyChange(Struct):
    """What to change of the own account."""

    name: str | UnsetType = UNSET
    about: str | UnsetType = UNSET
    display_receipts: bool | UnsetType = UNSET
    who_may_add_me: WhoMayAddMe | UnsetType = UNSET


class PasswordChange(Struct):
    """The password as it is, and as it shall be."""

    old: str
    new: str


class Session(Struct):
    """A login; `current`: the one that asks."""

    id: str
    current: bool
    created_at: int
    last_used_at: int


class Sessions(Struct):
    """All logins of a user."""

    items: list[Session]
    next: None = None


class UserQuery(Struct):
    """`q`: what a uid, a name or a word of a name begins with."""

    q: str = ""
    after: str = ""
    limit: int = DEFAULT_LIMIT


class Users(Struct):
    """Some users; `next` is the next `after`."""

    items: list[User]
    next: str | None


class Person(Struct):
    """Somebody, with what they tell of themselves."""

    uid: str
    name: str
    about: str


class ConversationQuery(Struct):
    """`before`: the `next` of the page before."""

    before: str | None = None
    limit: int = DEFAULT_LIMIT


class ListedConversation(Struct, rename={"conv": "ConvID", "n": "N"}):
    """A conversation in the list. `last`: its newest entry, as in `events`."""

    conv: str
    name: str
    last: msgspec.Raw
    n: int
    delivered: int
    displayed: int
    unread: int
    left: bool

    @classmethod
    def of(cls, listed: Listed) -> ListedConversation:
        """From the service's."""
        return cls(
            listed.conv,
            listed.name,
            msgspec.Raw(listed.last.envelope),
            listed.last.n,
            listed.position.delivered,
            listed.position.displayed,
            listed.unread,
            listed.left,
        )


class ConversationPage(Struct):
    """Conversations, the latest first; `next` is the next `before`, opaque."""

    items: list[ListedConversation]
    next: str | None


class GroupSettings(Struct):
    """What is true of a group: who reads, writes and finds it; whether it is over."""

    history_open: bool
    announcements: bool
    public: bool
    closed: bool


class Conversation(Struct, rename={"conv": "ConvID"}):
    """One conversation. `members`: how many; null for one that was left. `picture`: a file's id.

    `group`: its settings, null for a pair and for one that was left.
    """

    conv: str
    name: str
    picture: str | None
    members: int | None
    role: str
    group: GroupSettings | None

    @classmethod
    def of(cls, described: Described) -> Conversation:
        """From the service's."""
        group = described.group
        settings = (
            None if group is None else msgspec.convert(group, GroupSettings, from_attributes=True)
        )
        picture = None if group is None else group.picture or None
        return cls(
            described.conv, described.name, picture, described.members, described.role, settings
        )


class EventQuery(Struct):
    """At most one of `before` and `after`, both exclusive."""

    before: int | None = None
    after: int | None = None
    limit: int = DEFAULT_LIMIT


class Events(Struct):
    """Entries, ascending; `next` is the next `before` or `after`, whichever was asked for."""

    items: list[msgspec.Raw]
    next: int | None


class MemberQuery(Struct):
    """`after`: a uid."""

    after: str = ""
    limit: int = DEFAULT_LIMIT


class Member(Struct):
    """`since`: the `Seq` of the entry that brought them in."""

    uid: str
    name: str
    role: str
    since: int


class Members(Struct):
    """Present members by uid; `next` is the next `after`."""

    items: list[Member]
    next: str | None


class ReceiptQuery(Struct):
    """`seq`: of the entry meant."""

    seq: int
    after: str = ""
    limit: int = DEFAULT_LIMIT


class Receipt(Struct):
    """How far a member has come; 0: not at all, or not to be known."""

    uid: str
    delivered: int
    displayed: int


class Receipts(Struct):
    """Members who were in before the entry, its author left out; `next` is the next `after`."""

    items: list[Receipt]
    next: str | None


class Invitation(Struct, rename={"conv": "ConvID", "from_": "from"}):
    """Somebody wants to add the user to a conversation."""

    id: str
    conv: str
    from_: str
    at: int


class Invitations(Struct):
    """Invitations that wait for an answer, the newest ones."""

    items: list[Invitation]
    next: None = None


class InvitationAnswer(Struct):
    """Whether one comes in."""

    accept: bool


class Entered(Struct, rename={"conv": "ConvID", "seq": "Seq"}):
    """The group one is in now, and since which entry; null for what was declined."""

    conv: str | None
    seq: int | None

    @classmethod
    def of(cls, entered: entering.Entered) -> Entered:
        """From the service's."""
        return cls(entered.conv, entered.seq)


class GroupQuery(Struct):
    """`q`: what a public group's name begins with. `after`: a group's id."""

    q: str = ""
    after: str = ""
    limit: int = DEFAULT_LIMIT


class PublicGroup(Struct, rename={"conv": "ConvID"}):
    """A group that anybody may join; `members`: how many are in it."""

    conv: str
    name: str
    picture: str | None
    members: int

    @classmethod
    def of(cls, found: directory.PublicGroup) -> PublicGroup:
        """From the service's."""
        group = found.group
        return cls(group.conv, group.name or group.conv, group.picture or None, found.members)


class PublicGroups(Struct):
    """Public groups by id; `next` is the next `after`."""

    items: list[PublicGroup]
    next: str | None


class NewLink(Struct):
    """A link to be made; `uses`: by how many, null: no limit."""

    expires_in_s: int
    uses: int | None = None


class MadeLink(Struct):
    """A link that was made; `code`: shown this once."""

    id: str
    code: str
    expires_at: int
    uses: int | None


class InviteLink(Struct, rename={"by": "from"}):
    """A link as its group's admins see it. `from`: who made it; `uses`: how many are left."""

    id: str
    by: str
    expires_at: int
    uses: int | None

    @classmethod
    def of(cls, link: model.InviteLink) -> InviteLink:
        """From the store's."""
        return cls(link.id, link.by, link.expires_at, link.uses)


class InviteLinks(Struct):
    """All links to a group that have not expired."""

    items: list[InviteLink]
    next: None = None

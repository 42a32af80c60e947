"""Routes of conversations: the list, and one of them with what is in it."""

from __future__ import annotations

from typing import Final

import msgspec

from webchat.errors import Code, WebchatError
from webchat.transport.rest import wire
from webchat.transport.rest.route import Call, Route


async def conversations(call: Call[None, wire.ConversationQuery]) -> wire.ConversationPage:
    """The own conversations by last activity."""
    page = await call.services.conversations.page(call.uid, call.query.before, call.query.limit)
    return wire.ConversationPage(list(map(wire.ListedConversation.of, page.items)), page.next)


async def conversation(call: Call[None, None]) -> wire.Conversation:
    """One conversation."""
    described = await call.services.conversations.one(call.uid, call.params["conv"])
    return wire.Conversation.of(described)


async def events(call: Call[None, wire.EventQuery]) -> wire.Events:
    """Entries of one's spans in a conversation, or of one's own user log."""
    query, conv, history = call.query, call.params["conv"], call.services.history
    if query.after is None:
        page = await history.before(call.uid, conv, query.before, query.limit)
    elif query.before is None:
        page = await history.after(call.uid, conv, query.after, query.limit)
    else:
        raise WebchatError(Code.BAD_REQUEST, "Either before or after, not both.")
    return wire.Events([msgspec.Raw(entry.envelope) for entry in page.items], page.next)


async def members(call: Call[None, wire.MemberQuery]) -> wire.Members:
    """Who is in a conversation now."""
    query = call.query
    page = await call.services.readers.members(
        call.uid, call.params["conv"], query.after, query.limit
    )
    items = [
        wire.Member(member.uid, member.name, member.role, member.since) for member in page.items
    ]
    return wire.Members(items, page.next)


async def receipts(call: Call[None, wire.ReceiptQuery]) -> wire.Receipts:
    """How far each member has come who was in before an entry, but its author."""
    query = call.query
    page = await call.services.readers.of_entry(
        call.uid, call.params["conv"], query.seq, query.after, query.limit
    )
    items = [wire.Receipt(reader.uid, reader.delivered, reader.displayed) for reader in page.items]
    return wire.Receipts(items, page.next)


_OF_A_CONVERSATION: Final = (Code.NOT_A_MEMBER,)

ROUTES: Final = (
    Route(
        "GET", "/api/v1/conversations", conversations, "The own conversations, latest first",
        query=wire.ConversationQuery, answer=wire.ConversationPage,
    ),
    Route(
        "GET", "/api/v1/conversations/{conv}", conversation, "One conversation",
        answer=wire.Conversation, errors=_OF_A_CONVERSATION,
    ),
    Route(
        "GET", "/api/v1/conversations/{conv}/events", events, "Entries, ascending",
        query=wire.EventQuery, answer=wire.Events, errors=_OF_A_CONVERSATION,
    ),
    Route(
        "GET", "/api/v1/conversations/{conv}/members", members, "Present members",
        query=wire.MemberQuery, answer=wire.Members, errors=_OF_A_CONVERSATION,
    ),
    Route(
        "GET", "/api/v1/conversations/{conv}/receipts", receipts, "Who has read an entry",
        query=wire.ReceiptQuery, answer=wire.Receipts,
        errors=(*_OF_A_CONVERSATION, Code.NOT_FOUND),
    ),
)  # fmt: skip

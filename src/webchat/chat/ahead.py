"""A device that was further, on another node, than this one has heard of: the store is asked first.

Else its cursors would be taken for wrong ones, and it would be sent again what it has; and what it
says of a conversation would be refused as somebody else's.
"""

from __future__ import annotations

from collections.abc import Mapping

from webchat.chat.attendance import Attendance
from webchat.chat.followed import User
from webchat.chat.gaps import Gaps
from webchat.model import ConvID, Seq, is_group, pair_of, user_of
from webchat.ports.members import Members


class Ahead:
    """Brings this node to where a user says it has been."""

    def __init__(self, attendance: Attendance, gaps: Gaps, members: Members) -> None:
        self._attendance = attendance
        self._gaps = gaps
        self._members = members

    async def catch_up(self, user: User, places: Mapping[ConvID, Seq]) -> None:
        """Follow what the user is in of the logs named, know of what it has left, and read those
        that it was further in.

        Raises WebchatError(UNAVAILABLE). Costs nothing where this node has heard of everything.
        What could not be read when the user came is passed over.
        """
        if user.unreadable:
            places = {conv: seq for conv, seq in places.items() if conv not in user.unreadable}
        if not places.keys() <= user.logs.keys():
            await self._follow_unheard(user, places)
        logs = user.logs
        ahead = [
            logs[conv] for conv, seq in places.items() if conv in logs and seq > logs[conv].last
        ]
        if ahead:
            await self._gaps.catch_up(ahead)

    async def follow(self, user: User, conv: ConvID) -> None:
        """Follow a conversation, or know that the user has left it, if the store says it is, or
        was, the user's.

        Raises WebchatError(UNAVAILABLE).
        """
        if conv in user.logs or not (is_group(conv) or user.uid in (pair_of(conv) or ())):
            return
        spans = await self._members.spans(conv, user.uid)
        if spans and spans[-1].since > user.left.get(conv, 0):
            await self._attendance.come_in_late(user, conv, spans[-1].since)

    async def _follow_unheard(self, user: User, places: Mapping[ConvID, Seq]) -> None:
        unheard = [
            conv
            for conv, seq in places.items()
            if conv not in user.logs and seq > user.left.get(conv, 0) and user_of(conv) is None
        ]
        if not unheard:
            return
        memberships = await self._members.of_user(user.uid)
        since = {row.conv: row.since for row in memberships}
        for conv in unheard:
            if conv in since:
                await self._attendance.come_in_late(user, conv, since[conv])

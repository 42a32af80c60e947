"""The seed's profile server (seed flow 1): `/add`, `/search/{uid}`, `/getall`, in open mode only.

Source: docs/protocol.md, section 8. Its clients parse JSON whatever the status.
"""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from webchat.model import Profile
from webchat.service.profiles import Profiles
from webchat.transport.rest.endpoint import at
from webchat.transport.rest.resource import decode_json, json_response, read_body
from webchat.transport.rest.services import RestSettings


class SeedProfile(msgspec.Struct, rename={"uid": "UID", "name": "Name"}):
    """A profile in the seed's shape."""

    uid: str
    name: str = ""


class SeedProfiles:
    """The routes, on the server's own port and on the seed's."""

    def __init__(self, profiles: Profiles, settings: RestSettings) -> None:
        self._profiles = profiles
        self._settings = settings

    def routes(self) -> list[BaseRoute]:
        """Where they are."""
        return [
            at("/add", self._add, ("POST",)),
            at("/search/{uid}", self._search),
            at("/getall", self._getall),
        ]

    async def _add(self, request: Request) -> Response:
        """The name of a user that may exist; what else is known of it stays."""
        added = decode_json(await read_body(request, self._settings), SeedProfile)
        saved = await self._profiles.rename(added.uid, added.name or added.uid)
        return json_response(_seed_profile(saved))

    async def _search(self, request: Request) -> Response:
        uid = request.path_params["uid"]
        profile = await self._profiles.get(uid)
        return json_response(_seed_profile(profile) if profile else SeedProfile(uid, uid))

    async def _getall(self, _request: Request) -> Response:
        recent = await self._profiles.recent()
        return json_response(
            [msgspec.json.encode(_seed_profile(profile)).decode() for profile in recent]
        )


def _seed_profile(profile: Profile) -> SeedProfile:
    return SeedProfile(profile.uid, profile.name)

"""What this node does not serve itself and passes on to a node that plays the role for it."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import parse_qs

from webchat.errors import Code, WebchatError
from webchat.transport.admission import Refusal, Refused
from webchat.transport.asgi import BodyRefused, Receive, Scope, Send, respond
from webchat.transport.headers import Headers
from webchat.transport.node_links import NoAnswer
from webchat.transport.proxy import Proxies
from webchat.transport.relay import IS_RELAYED, Relay
from webchat.transport.rest.problems import body_refused, problem


class ToRole:
    """An ASGI application: a living node that plays `role` answers, another one each time.

    A request whose query names a session goes to the session's node. Where connecting fails the
    next node is tried. What another node passed on is refused, so that nothing goes in a circle.
    """

    def __init__(self, relay: Relay, role: str, proxies: Proxies) -> None:
        self.relay = relay
        self._role = role
        self._proxies = proxies

    async def nodes(self, query_string: bytes) -> Sequence[str]:
        """The URLs of the nodes to try, in order. Raises Refused for an unknown session."""
        sids = parse_qs(query_string.decode("latin-1")).get("sid")
        if sids is None:
            return await self.relay.where.players(self._role)
        return await self.relay.where.owner(sids[0])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on."""
        try:
            await self._pass_on(scope, receive, send)
        except Refused as refused:
            await respond(send, refused.status, refused.body, refused.headers)
        except BodyRefused as refused:
            response = problem(body_refused(refused, "The body is too large."))
            response.headers["Connection"] = "close"
            await response(scope, receive, send)
        except NoAnswer:
            await problem(self._unavailable())(scope, receive, send)

    async def _pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        if IS_RELAYED in scope:
            raise Refused(Refusal.BAD_REQUEST)
        client = self._proxies.client_of(scope, Headers(scope["headers"]))
        urls = await self.nodes(scope["query_string"])
        await self.relay.pass_on(scope, receive, send, client, urls)

    def _unavailable(self) -> WebchatError:
        return WebchatError(
            Code.UNAVAILABLE,
            f"No node that plays {self._role} answers.",
            retry_after_ms=self.relay.settings.retry_after_ms,
        )

"""What REST needs of the product, in one hand, and its own settings."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from prometheus_client import CollectorRegistry

from webchat.service.accounts import AccountService
from webchat.service.conversations import Conversations
from webchat.service.directory import Directory
from webchat.service.history import History
from webchat.service.invitations import InvitationService
from webchat.service.links import LinkService
from webchat.service.own_account import OwnAccount
from webchat.service.profiles import Profiles
from webchat.service.readers import Readers

Check = Callable[[], Awaitable[str]]
"""Why something the server stands on does not serve as it should now; "": it does."""


@dataclass(frozen=True, slots=True)
class Services:
    """The services that routes call. By name, what `/readyz` asks: without what is in `checks`
    the server cannot serve, without what is in `helpers` it serves, but not as it should.
    `node_id`: who answers, for other nodes."""

    accounts: AccountService
    own_account: OwnAccount
    profiles: Profiles
    conversations: Conversations
    history: History
    readers: Readers
    invitations: InvitationService
    directory: Directory
    links: LinkService
    checks: Mapping[str, Check]
    helpers: Mapping[str, Check]
    registry: CollectorRegistry
    node_id: str = ""


@dataclass(frozen=True, slots=True)
class RestSettings:
    """`static_dir`: the built web client; it may be missing. `cookie_days`: as long as a login
    lives. `at_all_addresses`: whether the node listens at all of its machine."""

    open_mode: bool = False
    body_bytes: int = 65_536
    body_timeout_s: float = 20
    check_timeout_s: float = 2
    cookie_days: float = 30
    at_all_addresses: bool = False
    static_dir: Path = field(default=Path(__file__).parents[2] / "static")

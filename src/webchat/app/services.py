"""The services of a node, over its store, and what REST needs of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry

from webchat import tuning
from webchat.app.vendors import Joint
from webchat.chat.assembly import Chat
from webchat.config import Settings
from webchat.ports.clock import Clock
from webchat.ports.store import Store
from webchat.service.accounts import AccountService
from webchat.service.conversations import Conversations
from webchat.service.directory import Directory
from webchat.service.entering import Entrance
from webchat.service.history import History
from webchat.service.invitations import InvitationService
from webchat.service.links import LinkService
from webchat.service.own_account import OwnAccount
from webchat.service.passwords import Passwords
from webchat.service.profiles import Profiles
from webchat.service.readers import Readers
from webchat.service.standing import Standings
from webchat.service.tokens import Tokens
from webchat.transport.rest import Services
from webchat.transport.rest.services import Check


@dataclass(frozen=True, slots=True)
class People:
    """Who there is, and who somebody says to be."""

    profiles: Profiles
    accounts: AccountService


def people_of(
    settings: Settings, store: Store, joint: Joint, passwords: Passwords, clock: Clock
) -> People:
    """Profiles and accounts, cached and limited as the nodes do it together."""
    profiles = Profiles(
        store.accounts,
        joint.cache,
        clock,
        open_mode=settings.open,
        recent=settings.getall_profiles,
    )
    tokens = Tokens(store.logins, clock, tuning.token_settings(settings))
    accounts = AccountService(
        store.accounts,
        profiles,
        tokens,
        passwords,
        joint.limits,
        clock,
        tuning.account_settings(settings),
    )
    return People(profiles, accounts)


def chat_of(settings: Settings, store: Store, joint: Joint, people: People, clock: Clock) -> Chat:
    """The chat layer; it listens to the bus from now on."""
    return Chat(
        store,
        joint.bus,
        clock,
        people.profiles,
        people.accounts.authenticate,
        tuning.chat_settings(settings),
    )


def services_of(
    settings: Settings,
    store: Store,
    people: People,
    chat: Chat,
    clock: Clock,
    helpers: Mapping[str, Check],
    node_id: str,
) -> Services:
    """What REST calls; `helpers`: what `/readyz` asks besides the store."""
    profiles = people.profiles
    history = History(store.log, store.members)
    standings = Standings(store.log, store.members)
    entrance = Entrance(standings, chat.appends, clock)
    links = tuning.link_settings(settings)
    return Services(
        accounts=people.accounts,
        own_account=OwnAccount(people.accounts, store.log, chat.appends, clock),
        profiles=profiles,
        conversations=Conversations(
            store.following, store.members, store.positions, profiles, history
        ),
        history=history,
        readers=Readers(store.members, store.positions, profiles, history),
        invitations=InvitationService(store.invitations, store.members, entrance),
        directory=Directory(store.members, entrance),
        links=LinkService(store.links, store.log, standings, entrance, clock, links),
        checks={"store": store.trouble},
        helpers=helpers,
        registry=CollectorRegistry(),
        node_id=node_id,
    )

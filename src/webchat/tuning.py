"""The settings of the process, cut into the small structs that each part knows.

Those of adapters are cut beside them, in `app/vendors`.
"""

from __future__ import annotations

from webchat import __version__
from webchat.chat.assembly import Settings as ChatLayerSettings
from webchat.chat.handlers import ChatSettings
from webchat.chat.joining import JoinSettings
from webchat.chat.keeping import KeptSettings
from webchat.chat.lag import BacklogSettings
from webchat.chat.settings import RepairSettings
from webchat.config import Settings
from webchat.config.places import is_wildcard
from webchat.ports.held import HeldLimits
from webchat.protocol.cookies import COOKIE
from webchat.service.accounts import AccountSettings
from webchat.service.links import LinkSettings
from webchat.service.passwords import PasswordSettings
from webchat.service.peers import PeerSettings
from webchat.service.read_positions import ReceiptSettings
from webchat.service.tokens import TokenSettings
from webchat.session.client import SocketSettings
from webchat.session.endpoint import EngineSettings
from webchat.transport.node_links import NodeLinkSettings
from webchat.transport.relay import RelaySettings
from webchat.transport.rest import RestSettings

DAY_MS = 24 * 3_600_000
_PEOPLE_PER_EVENT = {"dynamodb": 5}
"""Each in a list is four requests to the table, a millisecond of CPU each."""


def password_settings(settings: Settings) -> PasswordSettings:
    """What a password's hash costs."""
    return PasswordSettings(
        argon2_memory_kib=settings.argon2_memory_kib,
        argon2_passes=settings.argon2_passes,
        threads=settings.argon2_threads,
        queue=settings.argon2_queue,
    )


def account_settings(settings: Settings) -> AccountSettings:
    """How often accounts may be made and passwords tried."""
    return AccountSettings(
        login_attempts_per_min=settings.rate_logins_per_min,
        login_burst=settings.rate_logins_burst,
        login_attempts_per_account_per_min=settings.rate_account_logins_per_min,
        login_account_burst=settings.rate_account_logins_burst,
        login_attempts_per_address_per_min=settings.rate_address_logins_per_min,
        login_address_burst=settings.rate_address_logins_burst,
        registrations_per_min=settings.rate_registrations_per_min,
        registrations_burst=settings.rate_registrations_burst,
    )


def token_settings(settings: Settings) -> TokenSettings:
    """How long a login lives, and how many an account may have."""
    return TokenSettings(login_days=settings.session_days, logins_per_user=settings.logins_per_user)


def chat_settings(settings: Settings) -> ChatLayerSettings:
    """Limits and intervals of the chat layer."""
    return ChatLayerSettings(
        open_mode=settings.open,
        chat=ChatSettings(
            text_bytes=settings.text_bytes,
            extension_bytes=settings.extension_bytes,
            list_uids=settings.list_uids,
            people_per_event=_PEOPLE_PER_EVENT.get(settings.store_kind, 50),
            rate_events_per_s=settings.rate_events_per_s,
            rate_burst=settings.rate_burst,
        ),
        join=JoinSettings(
            sync_more_timeout_s=settings.sync_more_timeout_s,
            version=__version__,
        ),
        backlog=BacklogSettings(
            backlog_entries=settings.backlog_entries, join_entries=settings.join_entries
        ),
        receipts=ReceiptSettings(
            receipts_interval_ms=settings.receipts_interval_ms,
            counts_interval_ms=settings.counts_interval_ms,
        ),
        held=HeldLimits(
            messages_per_user=settings.held_messages,
            bytes_per_group=settings.held_group_bytes,
            lifetime_ms=settings.held_days * DAY_MS,
        ),
        kept=KeptSettings(settings.kept_receipts if settings.open else 0),
        repair=RepairSettings(
            compare_interval_ms=settings.compare_interval_ms,
            sweep_interval_s=settings.sweep_interval_s,
            failed_logs=settings.failed_logs,
            failed_notices=settings.failed_notices,
            unnoticed_s=settings.bus_unnoticed_s,
        ),
        connections_per_user=settings.sessions_per_user,
        revocation_sweep_ms=settings.revocation_sweep_ms,
        login_days=settings.session_days,
    )


def link_settings(settings: Settings) -> LinkSettings:
    """How long invite links live, and how many a group has."""
    return LinkSettings(link_days=settings.link_days, links_per_group=settings.links_per_group)


def socket_settings(settings: Settings) -> SocketSettings:
    """Limits of the Socket.IO layer."""
    return SocketSettings(
        connect_timeout_ms=settings.connect_timeout_ms,
        max_attachments=settings.packet_attachments,
        max_attachments_bytes=settings.packet_bytes,
    )


def engine_settings(settings: Settings) -> EngineSettings:
    """Limits and intervals of the Engine.IO layer."""
    return EngineSettings(
        ping_interval_ms=settings.ping_interval_ms,
        ping_timeout_ms=settings.ping_timeout_ms,
        max_payload_bytes=settings.packet_bytes,
        max_outbox_bytes=settings.outbox_bytes,
        max_connections=settings.sessions,
        max_polling_connections=settings.polling_sessions,
        allow_engine3=settings.open,
        kept_cookie=COOKIE,
    )


def rest_settings(settings: Settings) -> RestSettings:
    """Limits of REST."""
    return RestSettings(
        open_mode=settings.open,
        body_bytes=settings.body_bytes,
        cookie_days=settings.session_days,
        at_all_addresses=is_wildcard(settings.host),
    )


def peer_settings(settings: Settings) -> PeerSettings:
    """When a node counts as dead, and when its clock as wrong."""
    return PeerSettings(lease_ms=settings.lease_ms, clock_skew_ms=settings.clock_skew_ms)


def relay_settings(settings: Settings) -> RelaySettings:
    """Limits and times of what is passed on to other nodes."""
    return RelaySettings(
        link=NodeLinkSettings(
            connect_timeout_ms=settings.relay_connect_timeout_ms,
            answer_timeout_ms=settings.relay_answer_timeout_ms,
            max_idle_per_node=settings.relay_connections,
        ),
        max_body_bytes=max(settings.packet_bytes, settings.body_bytes),
    )

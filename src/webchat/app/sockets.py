"""The sockets that a node listens on, and the URLs at which they are reached."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

from webchat.config import Settings
from webchat.config.places import advertised, url_of
from webchat.ports.nodes import NodeRefused
from webchat.transport.server import AddressInUse, bind


@dataclass(frozen=True, slots=True)
class Sockets:
    """Bound ones. `profile`: for the seed's REST alone; `peer`: for other nodes."""

    public: socket.socket
    profile: socket.socket | None
    peer: socket.socket | None

    def close(self) -> None:
        """Let go of them."""
        for bound in (self.public, self.profile, self.peer):
            if bound is not None:
                bound.close()


def bind_all(settings: Settings, *, is_worker: bool = False) -> Sockets:
    """What the settings ask for; a worker shares all but its peer port with the others.

    Raises NodeRefused for what cannot be listened on, or not yet.
    """
    bound: list[socket.socket] = []

    def take(port: int, option: str, *, is_shared: bool) -> socket.socket:
        bound.append(_bind(settings.host, port, option, is_shared=is_shared))
        return bound[-1]

    try:
        return Sockets(
            public=take(settings.port, "--port", is_shared=is_worker),
            profile=take(settings.profile_port, "--profile-port", is_shared=is_worker)
            if settings.open and settings.profile_port is not None
            else None,
            peer=take(settings.peer_port, "--peer-port", is_shared=False)
            if settings.is_bus_shared
            else None,
        )
    except BaseException:
        for taken in bound:
            taken.close()
        raise


@contextmanager
def reserved(settings: Settings) -> Iterator[Settings]:
    """The ports that workers share, kept for them; the settings with the numbers they have.

    Raises NodeRefused for what cannot be listened on, or not yet.
    """
    with ExitStack() as kept:

        def keep(port: int, option: str) -> int:
            # Nobody else may be there, not even who would share it.
            _bind(settings.host, port, option, is_shared=False).close()
            bound = _bind(settings.host, port, option, is_shared=True)
            kept.callback(bound.close)
            return port_of(bound)

        port = keep(settings.port, "--port")
        profile_port = settings.profile_port
        if settings.open and profile_port is not None:
            keep(profile_port, "--profile-port")
        yield replace(settings, port=port)


def public_url(settings: Settings, sockets: Sockets) -> str:
    """Where people reach this node."""
    return url_of(settings.host, port_of(sockets.public)) + "/"


def peer_url(settings: Settings, sockets: Sockets) -> str:
    """Where other nodes reach this one: what --advertise says, as far as it does."""
    host, port = advertised(settings.advertise) if settings.advertise else (settings.host, None)
    return url_of(host, port or port_of(sockets.peer or sockets.public))


def port_of(bound: socket.socket) -> int:
    """The port that it has."""
    return int(bound.getsockname()[1])


def _bind(host: str, port: int, option: str, *, is_shared: bool) -> socket.socket:
    try:
        return bind(host, port, reuse_port=is_shared)
    except AddressInUse as error:
        raise NodeRefused(f"{error} Choose another one with {option}.") from error
    except PermissionError as error:
        raise NodeRefused(f"{option} {port}: cannot listen there ({error.strerror})") from error
    except OSError as error:
        # Not yet, it may be: a name or an address can come later than this process at boot.
        raise NodeRefused(f"--host {host}: cannot listen there ({error.strerror})") from error

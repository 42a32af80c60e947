"""Who a client is when proxies stand in between."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

import msgspec

from webchat.transport.asgi import Scope

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address


class Caller(msgspec.Struct, frozen=True):
    """A client: its `address`, and whether it speaks TLS (to us, or to a trusted proxy).

    An IPv4 address is one, also where a socket of both kinds writes it as one of IPv6.
    """

    address: str
    secure: bool


class Proxies:
    """Takes X-Forwarded-For and -Proto into account where a trusted proxy wrote them."""

    def __init__(self, trusted: Sequence[Network] = ()) -> None:
        self._trusted = tuple(trusted)

    def client_of(self, scope: Scope, headers: Mapping[str, str]) -> Caller:
        """The client that an ASGI application is called for."""
        peer = scope["client"][0] if scope.get("client") else ""
        return self.resolve(peer, headers, secure=scope.get("scheme") == "https")

    def resolve(self, peer: str, headers: Mapping[str, str], *, secure: bool = False) -> Caller:
        """The client behind `peer`, the address that connected to us (`secure`: by TLS).

        `headers`: names in lower case. Of the addresses in X-Forwarded-For the rightmost that is
        no trusted proxy counts: what stands left of it anybody can have written.
        """
        parsed = _address(peer)
        if parsed is None:
            return Caller(peer, secure)
        if not self._is_trusted(parsed):
            return Caller(_written(parsed), secure)
        protocols = _listed(headers.get("x-forwarded-proto", ""))
        address = self._rightmost_untrusted(parsed, _listed(headers.get("x-forwarded-for", "")))
        return Caller(_written(address), protocols[-1].lower() == "https" if protocols else secure)

    def _rightmost_untrusted(self, peer: Address, hops: Sequence[str]) -> Address:
        nearest = peer
        for hop in reversed(hops):
            address = _address(hop)
            if address is None:
                return nearest
            nearest = address
            if not self._is_trusted(nearest):
                return nearest
        return nearest

    def _is_trusted(self, address: Address) -> bool:
        return any(address in network for network in self._trusted)


def _listed(field: str) -> list[str]:
    return [item.strip() for item in field.split(",") if item.strip()]


# Those who connect to us are few where a proxy stands in between, and come again where none does.
@lru_cache(maxsize=1_024)
def _address(text: str) -> Address | None:
    """An address as proxies write it: bare, in brackets, or with a port."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


@lru_cache(maxsize=1_024)
def _written(address: Address) -> str:
    return str(address)

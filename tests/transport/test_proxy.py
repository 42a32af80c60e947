"""Who a client is behind proxies, which pages may come, and header fields."""

from __future__ import annotations

import time
from ipaddress import ip_network

import pytest

from webchat.transport.headers import Headers
from webchat.transport.origins import OwnOrListed
from webchat.transport.proxy import Caller, Proxies

PROXIES = Proxies([ip_network("10.0.0.0/8"), ip_network("fd00::/8")])


def test_a_stranger_s_headers_do_not_count() -> None:
    headers = {"x-forwarded-for": "1.1.1.1", "x-forwarded-proto": "https"}
    assert PROXIES.resolve("8.8.8.8", headers) == Caller("8.8.8.8", secure=False)


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        ("::ffff:8.8.8.8", "8.8.8.8"),
        ("::FFFF:127.0.0.1", "127.0.0.1"),
        ("2001:DB8::0:1", "2001:db8::1"),
        ("8.8.8.8", "8.8.8.8"),
        ("a name", "a name"),
        ("", ""),
    ],
)
@pytest.mark.parametrize("proxies", [PROXIES, Proxies()])
def test_a_peer_has_one_address_on_a_socket_of_either_kind(
    proxies: Proxies, peer: str, address: str
) -> None:
    assert proxies.resolve(peer, {}) == Caller(address, secure=False)


def test_a_proxy_is_trusted_on_a_socket_of_both_kinds() -> None:
    assert PROXIES.resolve("::ffff:10.0.0.1", {"x-forwarded-for": "1.1.1.1"}).address == "1.1.1.1"
    assert PROXIES.resolve("::ffff:10.0.0.1", {}).address == "10.0.0.1"


@pytest.mark.parametrize(
    ("forwarded", "address"),
    [
        ("1.1.1.1", "1.1.1.1"),
        ("6.6.6.6, 1.1.1.1", "1.1.1.1"),
        ("6.6.6.6, 1.1.1.1, 10.0.0.9", "1.1.1.1"),
        ("10.0.0.7, 10.0.0.9", "10.0.0.7"),
        ("1.1.1.1:5000", "1.1.1.1"),
        ("[2001:db8::1]:5000", "2001:db8::1"),
        ("2001:db8::1", "2001:db8::1"),
        ("::ffff:1.1.1.1", "1.1.1.1"),
        ("1.1.1.1, nonsense", "10.0.0.1"),
        ("", "10.0.0.1"),
    ],
)
def test_the_rightmost_hop_that_is_no_trusted_proxy_is_the_client(
    forwarded: str, address: str
) -> None:
    assert PROXIES.resolve("10.0.0.1", {"x-forwarded-for": forwarded}).address == address


def test_a_trusted_proxy_says_whether_it_was_tls() -> None:
    assert PROXIES.resolve("fd00::1", {"x-forwarded-proto": "https"}).secure
    assert not PROXIES.resolve("fd00::1", {"x-forwarded-proto": "http"}).secure
    assert not PROXIES.resolve("fd00::1", {}).secure


@pytest.mark.parametrize(
    ("origin", "host", "secure", "allowed"),
    [
        ("http://chat.example", "chat.example", False, True),
        ("http://chat.example:80", "chat.example", False, True),
        ("http://chat.example:4000", "chat.example:4000", False, True),
        ("http://CHAT.example", "chat.example", False, True),
        ("https://chat.example", "chat.example", True, True),
        ("https://chat.example", "chat.example", False, False),
        ("http://chat.example", "chat.example", True, False),
        ("http://chat.example:4001", "chat.example:4000", False, False),
        ("http://evil.example", "chat.example", False, False),
        ("http://chat.example.evil.example", "chat.example", False, False),
        ("null", "chat.example", False, False),
        ("", "", False, False),
        ("http://[", "chat.example", False, False),
        ("https://listed.example", "chat.example", False, True),
        ("https://listed.example:443", "chat.example", False, True),
    ],
)
def test_the_own_origin_and_listed_ones_are_allowed(
    origin: str, host: str, secure: bool, allowed: bool
) -> None:
    policy = OwnOrListed(["https://listed.example"])
    assert policy({"origin": origin, "host": host}, secure) is allowed


def test_without_an_origin_it_is_no_page() -> None:
    assert OwnOrListed()({"host": "chat.example"}, False)


def test_fields_are_found_by_name_and_joined() -> None:
    headers = Headers(
        [(b"host", b"a"), (b"cookie", b"x=1"), (b"cookie", b"y=2"), (b"accept", b"b"),
         (b"accept", b"c"), (b"empty", b"")]
    )  # fmt: skip
    assert dict(headers) == {
        "host": "a", "cookie": "x=1; y=2", "accept": "b, c", "empty": "",
    }  # fmt: skip
    assert len(headers) == 4
    assert "ost" not in headers
    assert headers.get("missing") is None
    assert dict(Headers([])) == {}


def test_many_lines_of_one_name_cost_what_as_many_names_do() -> None:
    def took_s(fields: list[tuple[bytes, bytes]]) -> float:
        began = time.process_time()
        Headers(fields)
        return time.process_time() - began

    several = [(b"x%d" % number, b"") for number in range(60_000)]
    same = [(b"x", b"")] * 60_000
    assert min(took_s(same) for _ in range(3)) < 3 * min(took_s(several) for _ in range(3))


def test_a_value_that_looks_like_a_field_is_none() -> None:
    headers = Headers([(b"x", b"host: evil"), (b"host", b"good")])
    assert headers["host"] == "good"

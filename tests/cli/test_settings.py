"""Settings: what is derived from the fields, and what is refused with words for people."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import click
import pytest

from tests.cli.conftest import Run
from webchat.adapters.postgresql import masked
from webchat.cli.serve import serve
from webchat.config import (
    DynamoPlace,
    Settings,
    SettingsError,
    contradictions,
    default_data_dir,
    dynamo_place,
    env_name,
    option_name,
    sqlite_path,
)

_UNITS = re.compile(r"_(ms|s|min|bytes|kib|days)$|_per_(s|min)$")


def test_the_defaults_are_valid_and_serve_this_machine_alone() -> None:
    settings = Settings()
    assert settings.is_loopback
    assert (settings.host, settings.port) == ("127.0.0.1", 4000)
    assert list(contradictions(settings)) == []


def test_each_field_is_an_option_and_an_environment_variable() -> None:
    options = {p.name: p for p in serve.params if isinstance(p, click.Option)}
    assert set(options) == {spec.name for spec in fields(Settings)}
    for name, option in options.items():
        assert option.opts == [option_name(name)]
        assert option.envvar == env_name(name)
        assert option.help


def test_what_is_wrong_with_a_variable_is_said_of_it_and_of_an_option_where_that_was_given(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WEBCHAT_PORT", "tcp://10.96.0.7:4000")
    code, _, said = run("serve")
    assert (code, "WEBCHAT_PORT: 'tcp://10.96.0.7:4000'" in said) == (2, True)
    assert "'--port': 'many'" in run("serve", "--port", "many")[2]


def test_each_time_and_size_has_its_unit_in_its_name() -> None:
    for spec in fields(Settings):
        words = spec.metadata["help"].lower()
        if "time between" in words or words.startswith("wait ") or "bytes" in words:
            assert _UNITS.search(spec.name), spec.name


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"port": 65_536}, "--port is 65536"),
        ({"port": -1}, "--port is -1"),
        ({"rate_burst": 0}, "--rate-burst is 0"),
        ({"revocation_sweep_ms": 5_000}, "--revocation-sweep-ms is 5000"),
        ({"profile_port": 0}, "--profile-port is 0"),
        ({"trusted_proxy": ("10.0.0.0/33",)}, "--trusted-proxy 10.0.0.0/33"),
        ({"trusted_proxy": ("10.0.0.1/8",)}, "--trusted-proxy 10.0.0.1/8"),
        ({"allow_origin": ("*",)}, "--allow-origin *"),
        ({"allow_origin": ("https://example.org/",)}, "no path"),
        ({"allow_origin": ("https://[::1",)}, "--allow-origin https://[::1"),
        ({"allow_origin": ("https://",)}, "--allow-origin https://:"),
        ({"allow_origin": ("https://chat.example:99999",)}, "https://HOST[:PORT]"),
        ({"allow_origin": ("https://chat.example:abc",)}, "https://HOST[:PORT]"),
        ({"allow_origin": ("https://somebody@chat.example",)}, "https://HOST[:PORT]"),
        ({"allow_origin": ("ftp://chat.example",)}, "https://HOST[:PORT]"),
        ({"dynamodb_inline_bytes": 400_000}, "--dynamodb-inline-bytes is 400000"),
    ],
)
def test_values_that_cannot_be_are_refused_by_name(values: dict[str, object], words: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(words)):
        Settings(**values)  # type: ignore[arg-type]


POSTGRESQL = "postgresql://somebody@somewhere/chat"
DYNAMODB = "dynamodb://eu-central-1/chat"
REDIS = "redis://somewhere"


@pytest.mark.parametrize(
    ("values", "instead"),
    [
        ({"bus": REDIS}, "or --bus memory:"),
        ({"workers": 2}, "or --workers 1"),
        ({"role": "chat"}, "or --role all"),
        ({"advertise": "http://a:1"}, "leave it out"),
        ({"peer_port": 4001}, "leave it out"),
        ({"profile_port": 4040}, "add --open"),
        ({"profile_port": 4000, "open": True}, "use another one"),
        ({"store": POSTGRESQL, "workers": 2}, "add --bus redis://HOST"),
        ({"store": DYNAMODB, "role": "web"}, "add --bus redis://HOST"),
        ({"store": DYNAMODB, "advertise": "http://a:1"}, "leave it out"),
        ({"store": POSTGRESQL, "bus": REDIS, "host": "0.0.0.0"}, "add --advertise"),  # noqa: S104
        ({"store": POSTGRESQL, "bus": REDIS, "host": "::"}, "add --advertise"),
        (
            {"store": POSTGRESQL, "bus": REDIS, "workers": 3, "peer_port": 65_534},
            "use a lower one",
        ),
        (
            {"store": POSTGRESQL, "bus": REDIS, "relay_answer_timeout_ms": 25_000},
            "use a longer one",
        ),
        ({"bus_reconnect_min_ms": 1_001}, "--bus-reconnect-max-ms; use a shorter one"),
        ({"postgresql_reconnect_max_ms": 49}, "--postgresql-reconnect-max-ms; use a shorter one"),
        ({"dynamodb_pause_ms": 501}, "--dynamodb-max-pause-ms; use a shorter one"),
        ({"text_bytes": 131_072, "outbox_bytes": 262_144}, "takes 794624; use as many"),
        ({"extension_bytes": 1_000_000}, "or a lower --text-bytes or --extension-bytes"),
    ],
)
def test_what_cannot_be_together_names_what_to_use(values: dict[str, object], instead: str) -> None:
    (problem,) = contradictions(Settings(**values))  # type: ignore[arg-type]
    assert instead in problem


@pytest.mark.parametrize(
    "values",
    [
        {"store": POSTGRESQL},
        {"store": POSTGRESQL, "bus": REDIS, "workers": 4},
        {"text_bytes": 131_072},
        {"store": DYNAMODB, "bus": REDIS, "role": "profile"},
        {"store": POSTGRESQL, "open": True, "profile_port": 4040},
        {"store": DYNAMODB, "bus": REDIS, "host": "::", "advertise": "http://[2001:db8::1]:4001"},
    ],
)
def test_a_shared_store_serves_one_process_or_many_on_a_bus(values: dict[str, object]) -> None:
    assert list(contradictions(Settings(**values))) == []  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "values",
    [
        {"store": "mysql://a/b"},
        {"store": "/srv/chat.db"},
        {"store": "sqlite://relative.db"},
        {"store": "sqlite:relative.db"},
        {"store": "dynamodb://eu-central-1"},
        {"store": "dynamodb://eu-central-1/a/b"},
        {"store": "dynamodb://eu-central-1/chat?endpoint=localhost:8000"},
        {"store": "dynamodb://eu-central-1/chat?end=http://localhost"},
        {"bus": "nats://secret@somewhere"},
        {"bus": "redis://"},
        {"bus": "unix://"},
        {"bus": "unix://host"},
        {"bus": "somewhere"},
        {"advertise": "https://a"},
        {"advertise": "http://a/path"},
        {"advertise": "http://a:0"},
        {"advertise": "http://a:99999"},
        {"advertise": "a:4001"},
        {"advertise": "http://0.0.0.0:4001"},
        {"advertise": "http://[::]"},
        {"store": "postgresql://a:[secret@somewhere/chat"},
        {"store": "dynamodb://eu-central-1/chat?endpoint=http://[::1"},
        {"store": "dynamodb://eu-central-1/chat?endpoint=http://[::1]:99999"},
        {"bus": "redis://:]secret@somewhere"},
        {"advertise": "http://[::1"},
    ],
)
def test_urls_that_cannot_be_read_are_refused_with_the_form_they_should_have(
    values: dict[str, str],
) -> None:
    ((name, url),) = values.items()
    with pytest.raises(SettingsError, match=f"--{name}.*write it as|--{name}: write") as refused:
        Settings(**values)  # type: ignore[arg-type]
    assert "secret" not in str(refused.value)
    assert option_name(name) in str(refused.value)
    assert url


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (POSTGRESQL, "postgresql://somewhere/chat"),
        ("postgresql://a:secret@h:5432/chat", "postgresql://h:5432/chat"),
        ("postgresql://a:secret@h1:1,h2:2,h3/chat", "postgresql://h1:1,h2:2,h3/chat"),
        ("postgresql://a:b/secret@somewhere/chat", "postgresql://***"),
        ("postgresql://a:b#secret@somewhere/chat", "postgresql://***"),
        ("postgresql://a:b?secret@somewhere/chat", "postgresql://***"),
        ("postgresql://a:1/secret@somewhere/chat", "postgresql://***"),
        ("postgresql://a:b@c/secret@somewhere/chat", "postgresql://***"),
        ("postgresql://a:secret/chat", "postgresql://***"),
    ],
)
def test_no_part_of_a_password_is_shown_wherever_the_url_seems_to_end(url: str, shown: str) -> None:
    assert Settings(store=url).store_name == shown
    known_to_the_adapter = masked(url)
    assert "secret" not in known_to_the_adapter
    assert ("***" in shown) == (known_to_the_adapter == "postgresql://***")


def test_a_dynamodb_url_names_region_table_and_endpoint() -> None:
    place = dynamo_place("dynamodb://eu-central-1/chat?endpoint=http://127.0.0.1:8000")
    assert place == DynamoPlace("eu-central-1", "chat", "http://127.0.0.1:8000")
    assert dynamo_place(DYNAMODB) == DynamoPlace("eu-central-1", "chat", "")


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.8.8.8"])
def test_loopback_addresses_are_known(host: str) -> None:
    assert Settings(host=host).is_loopback


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "chat.example"])  # noqa: S104
def test_other_addresses_are_not_loopback(host: str) -> None:
    assert not Settings(host=host).is_loopback


def test_data_goes_where_xdg_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "/somewhere")
    assert default_data_dir() == Path("/somewhere/webchat")
    assert Settings().sqlite_path() == Path("/somewhere/webchat/webchat.db")


def test_a_relative_xdg_directory_is_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "somewhere")
    monkeypatch.setenv("HOME", "/home/a")
    assert default_data_dir() == Path("/home/a/.local/share/webchat")


def test_a_store_url_names_an_absolute_file() -> None:
    assert sqlite_path("sqlite:///srv/a%20b.db", Path("/d")) == Path("/srv/a b.db")


@pytest.mark.parametrize(
    "url", ["sqlite://relative.db", "sqlite:relative.db", "sqlite:///", "dynamodb://r/t", "x"]
)
def test_other_store_urls_are_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="--store"):
        sqlite_path(url, Path("/d"))

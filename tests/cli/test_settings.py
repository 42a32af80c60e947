"""Settings: what is derived from the fields, and what is refused with words for people."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import click
import pytest

from webchat.cli.serve import serve
from webchat.config import (
    Settings,
    SettingsError,
    default_data_dir,
    env_name,
    option_name,
    sqlite_path,
    unsupported,
)

_UNITS = re.compile(r"_(ms|s|min|bytes|kib|days)$|_per_(s|min)$")


def test_the_defaults_are_valid_and_serve_this_machine_alone() -> None:
    settings = Settings()
    assert settings.is_loopback
    assert (settings.host, settings.port) == ("127.0.0.1", 4000)
    assert list(unsupported(settings)) == []


def test_each_field_is_an_option_and_an_environment_variable() -> None:
    options = {p.name: p for p in serve.params if isinstance(p, click.Option)}
    assert set(options) == {spec.name for spec in fields(Settings)}
    for name, option in options.items():
        assert option.opts == [option_name(name)]
        assert option.envvar == env_name(name)
        assert option.help


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
    ],
)
def test_values_that_cannot_be_are_refused_by_name(values: dict[str, object], words: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(words)):
        Settings(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("values", "instead"),
    [
        ({"bus": "redis://localhost"}, "use --bus memory:"),
        ({"workers": 2}, "use --workers 1"),
        ({"role": "chat"}, "use --role all"),
        ({"advertise": "http://a:1"}, "leave it out"),
    ],
)
def test_what_needs_more_than_one_process_names_what_to_use(
    values: dict[str, object], instead: str
) -> None:
    (problem,) = unsupported(Settings(**values))  # type: ignore[arg-type]
    assert instead in problem


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


@pytest.mark.parametrize("url", ["sqlite://relative.db", "sqlite:///", "dynamodb://r/t", "x"])
def test_other_store_urls_are_refused(url: str) -> None:
    with pytest.raises(SettingsError, match="--store"):
        sqlite_path(url, Path("/d"))

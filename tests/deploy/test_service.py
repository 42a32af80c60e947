"""The unit for systemd, checked as far as it can be where there is none."""

from __future__ import annotations

import shlex
from collections import defaultdict
from dataclasses import fields
from pathlib import Path

from webchat.cli.serve import serve
from webchat.config import ENV_PREFIX, Settings, env_name

UNIT = Path(__file__).parents[2] / "deploy" / "webchat.service"
DRAIN_S = Settings().drain_s


def values() -> defaultdict[str, list[str]]:
    """What the unit says, by name."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for line in UNIT.read_text(encoding="utf-8").splitlines():
        if "=" in line and not line.startswith("#"):
            name, _, value = line.partition("=")
            found[name].append(value)
    return found


def test_it_runs_a_command_that_there_is_with_settings_that_there_are() -> None:
    (command,) = values()["ExecStart"]
    _, name, *options = shlex.split(command)
    assert name == "serve"
    serve.make_context("webchat", options)
    known = {env_name(spec.name) for spec in fields(Settings)}
    given = {line.partition("=")[0] for line in values()["Environment"]}
    assert {name for name in given if name.startswith(ENV_PREFIX)} <= known


def test_it_keeps_its_data_where_systemd_makes_room_for_it() -> None:
    (name,) = values()["StateDirectory"]
    assert f"WEBCHAT_DATA=/var/lib/{name}" in values()["Environment"]


def test_its_home_is_no_place_that_is_hidden_from_it() -> None:
    assert values()["ProtectHome"] == ["true"]
    (name,) = values()["StateDirectory"]
    assert f"HOME=/var/lib/{name}" in values()["Environment"]


def test_it_is_given_the_time_that_draining_takes() -> None:
    assert int(values()["TimeoutStopSec"][0]) > DRAIN_S


def test_it_is_started_again_for_as_long_as_its_store_or_bus_is_away() -> None:
    assert values()["Restart"] == ["always"]
    assert values()["StartLimitIntervalSec"] == ["0"]


def test_it_may_open_a_file_for_each_session() -> None:
    assert int(values()["LimitNOFILE"][0]) >= Settings().sessions + 1_000

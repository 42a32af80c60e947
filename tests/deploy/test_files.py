"""The files in deploy/, checked as far as they can be without a container engine."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from shutil import which
from typing import Any

import pytest
import yaml

from tests.ports import free_port
from tests.servers import Server
from webchat.config import Settings, env_name

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE = sorted(DEPLOY.glob("compose*.yaml"))
VENV_BIN = Path(sys.executable).parent
UNHEARD_OF = ".".join(["x" * 63] * 4)
"""A name too long for a query: nobody is asked for it."""


def services(file: Path) -> dict[str, dict[str, Any]]:
    """The services of a compose file, anchors resolved."""
    loaded: dict[str, Any] = yaml.safe_load(file.read_text(encoding="utf-8"))
    found: dict[str, dict[str, Any]] = loaded["services"]
    return found


def run(*command: str | Path, **environment: str) -> str:
    """What a command prints; it must succeed."""
    done = subprocess.run(
        [str(part) for part in command],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def health_check() -> list[str]:
    """The command of the image's HEALTHCHECK."""
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    (command,) = re.findall(r"^HEALTHCHECK .*CMD (.+)$", text, re.MULTILINE)
    words: list[str] = json.loads(command)
    return words


@pytest.mark.parametrize("file", COMPOSE, ids=lambda file: file.name)
def test_a_compose_file_has_the_form_of_the_compose_specification(file: Path) -> None:
    run(VENV_BIN / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", file)


@pytest.mark.parametrize("file", COMPOSE, ids=lambda file: file.name)
def test_a_compose_file_names_settings_and_services_that_exist(file: Path) -> None:
    known = {env_name(spec.name) for spec in fields(Settings)}
    found = services(file)
    for service in found.values():
        assert set(service.get("depends_on", ())) <= found.keys()
        if service["image"] == "webchat":
            named = {name for name in service["environment"] if name.startswith("WEBCHAT_")}
            assert named <= known


@pytest.mark.parametrize("file", COMPOSE, ids=lambda file: file.name)
def test_nodes_run_without_privileges_on_a_file_system_that_is_read_only(file: Path) -> None:
    for service in services(file).values():
        if service["image"] == "webchat":
            assert service["read_only"]
            assert service["cap_drop"] == ["ALL"]
            assert service["security_opt"] == ["no-new-privileges:true"]


@pytest.mark.parametrize("file", COMPOSE, ids=lambda file: file.name)
def test_nodes_may_open_a_file_for_each_session(file: Path) -> None:
    for service in services(file).values():
        if service["image"] == "webchat":
            assert service["ulimits"]["nofile"] >= Settings().sessions + 1_000


@pytest.mark.parametrize("file", COMPOSE, ids=lambda file: file.name)
def test_nothing_is_published_beyond_the_own_machine(file: Path) -> None:
    for service in services(file).values():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))


def test_a_container_is_unwell_only_if_its_process_is() -> None:
    """Where that restarts it, an outage of the store must not end its connections."""
    assert re.findall(r"/\w+z\b", " ".join(health_check())) == ["/healthz"]


def test_a_container_s_health_is_asked_of_itself_also_where_there_is_a_proxy(
    tmp_path: Path,
) -> None:
    _, *words = health_check()
    with Server(tmp_path) as server:
        run(
            sys.executable, *words,
            WEBCHAT_PORT=str(server.port),
            http_proxy=f"http://127.0.0.1:{free_port()}",
            no_proxy="",
        )  # fmt: skip


def test_the_seed_s_nodes_are_given_credentials_that_may_be_temporary() -> None:
    for name, service in services(DEPLOY / "compose.seed.yaml").items():
        if name != "redis":
            assert service["environment"]["AWS_SESSION_TOKEN"] == "${AWS_SESSION_TOKEN:-}"


def test_the_seed_is_cut_as_its_run_instructions_say() -> None:
    found = services(DEPLOY / "compose.seed.yaml")
    published = {name: found[name]["ports"] for name in ("chat", "profile", "web")}
    assert published == {
        "chat": ["127.0.0.1:4000:4000"],
        "profile": ["127.0.0.1:4040:4040"],
        "web": ["127.0.0.1:8080:80"],
    }


def test_the_dockerfile_passes_its_linter() -> None:
    assert run(VENV_BIN / "hadolint", DEPLOY / "Dockerfile") == ""


def test_the_dockerfile_copies_what_is_there_and_is_not_ignored() -> None:
    text = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    admitted = [line[1:] for line in ignored if line.startswith("!")]
    for line in re.findall(r"^COPY (?!--from)(.+)$", text, re.MULTILINE):
        *sources, _ = line.split()
        for source in sources:
            assert (ROOT / source).exists()
            assert any(source.rstrip("/").startswith(name) for name in admitted), source


@pytest.mark.parametrize(
    "second", ["127.0.0.1:4012", f"{UNHEARD_OF}:4012"], ids=["there", "without a name"]
)
def test_the_balancer_takes_its_configuration_whichever_nodes_are_there(second: str) -> None:
    haproxy = which("haproxy", path=f"{os.environ['PATH']}:/usr/sbin")
    assert haproxy is not None
    run(
        haproxy, "-c", "-f", DEPLOY / "haproxy.cfg",
        WEBCHAT_BIND="127.0.0.1:4000",
        WEBCHAT_NODE_A="127.0.0.1:4011",
        WEBCHAT_NODE_B=second,
    )  # fmt: skip


def test_a_database_that_is_still_being_made_is_not_taken_for_ready() -> None:
    (_, *command) = services(DEPLOY / "compose.yaml")["postgres"]["healthcheck"]["test"]
    words = " ".join(command).split()
    assert words[words.index("-h") + 1] == "127.0.0.1"

"""What `webchat serve` refuses to start on: one line that says why, and no secret in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import http
from tests.cli.conftest import command, ended_of, refused
from tests.engines import dynamodb
from tests.engines.redis import RedisServer
from tests.ports import free_port
from tests.servers import Server

SECRET = "hunter2"
UNREACHABLE = "127.0.0.1:1"


def test_a_bus_out_of_reach_is_refused_with_its_address(shared: tuple[str, ...]) -> None:
    line = refused(*shared, "--bus", f"redis://:{SECRET}@{UNREACHABLE}", "--port", "0")
    assert UNREACHABLE in line
    assert SECRET not in line


def test_a_bus_with_another_password_is_refused(shared: tuple[str, ...]) -> None:
    with RedisServer("requirepass right") as guarded:
        url = guarded.url.replace("redis://", f"redis://:{SECRET}@")
        line = refused(*shared, "--bus", url, "--port", "0")
    assert "password" in line.lower()
    assert SECRET not in line


def test_a_database_out_of_reach_is_refused_with_its_address(redis: RedisServer) -> None:
    store = f"postgresql://somebody:{SECRET}@{UNREACHABLE}/chat"
    line = refused("--store", store, "--bus", redis.url, "--port", "0")
    assert UNREACHABLE in line
    assert SECRET not in line


def test_a_database_without_a_store_names_the_command_that_makes_one(database: str) -> None:
    assert "webchat store init" in refused("--store", database, "--port", "0")


def test_a_table_out_of_reach_is_refused_with_its_address() -> None:
    dynamodb.have_credentials()
    store = f"dynamodb://eu-central-1/chat?endpoint=http://{UNREACHABLE}"
    assert UNREACHABLE in refused("--store", store, "--dynamodb-retry-within-ms", "200")


def test_a_table_that_is_not_there_names_the_command_that_makes_one() -> None:
    server = dynamodb.shared_server()
    store = f"dynamodb://eu-central-1/{server.new_table()}?endpoint={server.endpoint}"
    assert "webchat store init" in refused("--store", store, "--port", "0")


def test_a_table_without_credentials_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    store = f"dynamodb://eu-central-1/chat?endpoint={dynamodb.shared_server().endpoint}"
    for name in dynamodb.CREDENTIALS:
        monkeypatch.delenv(name, raising=False)
    assert "credentials" in refused("--store", store, "--port", "0").lower()


def test_a_shared_store_of_the_other_mode_is_refused(shared: tuple[str, ...]) -> None:
    assert "--open" in refused(*shared, "--open", "--port", "0")


def test_a_second_node_of_the_same_name_is_refused(shared: tuple[str, ...], tmp_path: Path) -> None:
    named = (*shared, "--node-id", "a", "--lease-ms", "900")
    with Server(tmp_path, *named):
        line = refused(*named, "--port", "0")
    assert "node a" in line
    assert "--node-id" in line


def test_the_name_of_a_node_that_died_is_free_again(
    shared: tuple[str, ...], tmp_path: Path
) -> None:
    named = (*shared, "--node-id", "a", "--lease-ms", "900")
    Server(tmp_path, *named).kill()
    with Server(tmp_path, *named) as again:
        assert again.stop() == 0


def test_a_second_node_without_a_bus_is_refused(database: str, tmp_path: Path) -> None:
    command("store", "init", "--store", database)
    alone = ("--store", database, "--lease-ms", "900")
    with Server(tmp_path, *alone) as first:
        line = refused(*alone, "--port", "0")
        assert first.url in line
    assert "--bus" in line


def test_a_lone_node_takes_up_the_store_of_one_that_died(database: str, tmp_path: Path) -> None:
    command("store", "init", "--store", database)
    alone = ("--store", database, "--lease-ms", "900")
    Server(tmp_path, *alone).kill()
    with Server(tmp_path, *alone) as again:
        assert http.get(again.url + "/readyz").json()["state"] == "ready"


def test_all_addresses_of_a_machine_need_one_for_other_nodes(shared: tuple[str, ...]) -> None:
    line = refused(*shared, "--host", "0.0.0.0", code=2)  # noqa: S104
    assert "--advertise" in line


def test_a_port_for_other_nodes_that_is_in_use_is_named(
    shared: tuple[str, ...], tmp_path: Path
) -> None:
    peer_port = str(free_port())
    with Server(tmp_path, *shared, "--peer-port", peer_port):
        line = refused(*shared, "--peer-port", peer_port, "--port", "0")
    assert peer_port in line
    assert "--peer-port" in line


@pytest.mark.parametrize(
    ("extra", "module", "options"),
    [
        ("redis", "hiredis", ["--store", "postgresql://a@b/c", "--bus", f"redis://{UNREACHABLE}"]),
        ("postgresql", "asyncpg", ["--store", f"postgresql://a@{UNREACHABLE}/c"]),
        ("dynamodb", "aiobotocore", ["--store", f"dynamodb://a/b?endpoint=http://{UNREACHABLE}"]),
    ],
)
def test_what_is_not_installed_is_named_with_how_to_install_it(
    extra: str, module: str, options: list[str]
) -> None:
    """`None` in `sys.modules` is how Python marks a module as not to be found."""
    words = ["serve", "--port", "0", *options]
    program = f"import sys; sys.modules[{module!r}] = None; from webchat.cli import main; "
    ended = ended_of("-c", f"{program} main({words!r})")
    assert ended.returncode == 1
    *_, line = ended.stderr.splitlines()
    assert line == f"webchat: {module} is not installed: pip install 'webchat[{extra}]'"

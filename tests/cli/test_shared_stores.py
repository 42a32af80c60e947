"""`webchat store`, `user`, `check`, `export` and `import` on stores that several nodes share."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import http
from tests.cli.conftest import Run, eventually
from tests.engines import dynamodb, postgresql
from tests.engines.redis import RedisServer
from tests.servers import Server

PASSWORD = "correct horse battery\n"
POLLING = "/socket.io/?EIO=4&transport=polling"


def new_database() -> str:
    return postgresql.shared_server().new_database()


def new_table() -> str:
    server = dynamodb.shared_server()
    return f"dynamodb://eu-central-1/{server.new_table()}?endpoint={server.endpoint}"


@pytest.fixture(params=[new_database, new_table], ids=["postgresql", "dynamodb"])
def new(request: pytest.FixtureRequest) -> Callable[[], str]:
    """Where there is no store yet."""
    found: Callable[[], str] = request.param
    return found


@pytest.fixture
def empty(new: Callable[[], str], run: Run) -> str:
    """The URL of a store that has been made ready."""
    return ready(new, run)


@pytest.fixture(scope="module")
def filled() -> dict[Callable[[], str], str]:
    """The stores with accounts in them that were needed so far."""
    return {}


@pytest.fixture
def store(new: Callable[[], str], filled: dict[Callable[[], str], str], run: Run) -> str:
    """The URL of a store with the accounts of alice and of bob, who is disabled; all tests that
    change nothing of that share it."""
    if new not in filled:
        url = ready(new, run)
        for uid, name in (("alice", "Alice Kim"), ("bob", "Bob")):
            assert run("user", "add", uid, "--name", name, "--store", url, stdin=PASSWORD)[0] == 0
        assert run("user", "disable", "bob", "--store", url)[0] == 0
        filled[new] = url
    return filled[new]


def ready(new: Callable[[], str], run: Run) -> str:
    url = new()
    assert run("store", "init", "--store", url)[0] == 0
    return url


def accounts(run: Run, *place: str) -> str:
    code, out, err = run("user", "list", *place)
    assert code == 0, err
    return out


def test_init_does_not_mind_a_store_that_is_ready(run: Run, store: str) -> None:
    assert run("store", "init", "--store", store)[0] == 0
    assert accounts(run, "--store", store) == "alice\tAlice Kim\tenabled\nbob\tBob\tdisabled\n"


def test_a_store_of_the_other_mode_is_refused(run: Run, store: str) -> None:
    code, _, err = run("store", "init", "--open", "--store", store)
    assert code == 1
    assert "mode" in err
    assert err.count("\n") == 1


def test_a_new_password_ends_all_logins(run: Run, store: str) -> None:
    code, out, _ = run("user", "passwd", "alice", "--store", store, stdin=PASSWORD)
    assert (code, out) == (0, "alice: password set, logins ended\n")


def test_a_sound_store_is_said_to_be_sound(run: Run, store: str) -> None:
    code, out, _ = run("check", "--store", store)
    assert code == 0
    assert out.endswith("sound\n")


def test_backup_names_what_copies_such_a_store(run: Run, store: str, tmp_path: Path) -> None:
    code, _, err = run("backup", str(tmp_path / "copy"), "--store", store)
    assert code == 2
    assert "webchat export" in err


def test_a_store_moves_to_a_file_and_from_there_to_another(
    run: Run, store: str, tmp_path: Path
) -> None:
    file, data = str(tmp_path / "all.jsonl"), str(tmp_path / "data")
    code, _, said = run("export", file, "--store", store)
    assert code == 0, said
    assert "2 of account" in said
    assert stat.S_IMODE(Path(file).stat().st_mode) == 0o600
    code, _, said = run("import", file, "--data", data)
    assert code == 0, said
    assert "2 of account" in said
    assert accounts(run, "--data", data) == accounts(run, "--store", store)


def test_a_sqlite_store_moves_to_a_shared_one(run: Run, empty: str, tmp_path: Path) -> None:
    data, file = str(tmp_path / "data"), str(tmp_path / "all.jsonl")
    run("user", "add", "carol", "--data", data, stdin=PASSWORD)
    assert run("export", file, "--data", data)[0] == 0
    code, _, said = run("import", file, "--store", empty)
    assert code == 0, said
    assert accounts(run, "--store", empty) == "carol\tcarol\tenabled\n"


def test_a_store_that_is_not_empty_is_not_imported_into(
    run: Run, store: str, tmp_path: Path
) -> None:
    file = str(tmp_path / "all.jsonl")
    assert run("export", file, "--store", store)[0] == 0
    code, _, err = run("import", file, "--store", store)
    assert code == 1
    assert "not empty" in err
    assert err.count("\n") == 1


def test_an_export_overwrites_nothing(run: Run, store: str, tmp_path: Path) -> None:
    file = tmp_path / "precious"
    file.write_text("precious")
    code, _, err = run("export", str(file), "--store", store)
    assert code == 1
    assert str(file) in err
    assert file.read_text() == "precious"


def test_what_is_no_export_is_not_imported(run: Run, empty: str, tmp_path: Path) -> None:
    file = tmp_path / "letter"
    file.write_text("Dear all,\n")
    code, _, err = run("import", str(file), "--store", empty)
    assert code == 1
    assert "no file of webchat export" in err


def test_a_port_that_cannot_be_is_said_to_be_none(run: Run) -> None:
    code, _, err = run("check", "--store", "postgresql://somebody@127.0.0.1:99999/chat")
    assert code == 1
    assert "postgresql://USER@HOST/DATABASE" in err
    assert err.count("\n") == 1


def test_nodes_are_given_another_key_while_they_serve(
    run: Run, empty: str, redis: RedisServer, tmp_path: Path
) -> None:
    options = ("--store", empty, "--bus", redis.url, "--lease-ms", "900")
    with Server(tmp_path / "one", *options) as one, Server(tmp_path / "other", *options) as other:
        before = polling_session(one)
        assert is_served(before, one)
        assert is_served(before, other)
        code, out, err = run("store", "rotate-key", "--store", empty, "--lease-ms", "900")
        assert code == 0, err
        assert out.endswith("the nodes have another key\n")
        eventually(lambda: not is_served(before, other), "what was signed before is nobody's")
        assert is_served(before, one)
        after = polling_session(one)
        assert is_served(after, other)


def polling_session(node: Server) -> str:
    handshake = http.get(node.url + POLLING).text
    return f"{POLLING}&sid={json.loads(handshake[1:])['sid']}"


def is_served(session: str, node: Server) -> bool:
    return http.post(node.url + session, content="40{}").text == "ok"


def test_a_sqlite_store_has_no_key_that_nodes_share(run: Run, tmp_path: Path) -> None:
    code, _, err = run("store", "rotate-key", "--data", str(tmp_path))
    assert code == 2
    assert "one process" in err

"""`webchat restore`: a backup is served where a server was killed, and what it had is kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import http
from tests.cli.conftest import Run
from tests.servers import Server

PASSWORD = "correct horse battery\n"


def uids(run: Run, *place: str) -> list[str]:
    _, out, _ = run("user", "list", *place)
    return [line.split("\t")[0] for line in out.splitlines()]


def test_what_a_killed_server_wrote_after_a_backup_is_not_in_what_is_restored(
    run: Run, tmp_path: Path
) -> None:
    data, copy = tmp_path / "data", str(tmp_path / "copy.db")
    place = ("--data", str(data))
    with Server(data) as server:
        run("user", "add", "alice", *place, stdin=PASSWORD)
        run("backup", copy, *place)
        run("user", "add", "bob", *place, stdin=PASSWORD)
        code, _, err = run("restore", copy, *place)
        assert (code, "served by another process" in err) == (1, True)
        server.kill()
    assert (data / "webchat.db-wal").stat().st_size > 0

    code, out, _ = run("restore", copy, *place)
    assert code == 0
    restored, kept = out.splitlines()
    assert restored == f"restored {data}/webchat.db from {copy}"
    assert kept.startswith("what was there is kept as ")
    with Server(data) as server:
        assert http.get(server.url + "/readyz").json()["state"] == "ready"
        assert uids(run, *place) == ["alice"]
    assert uids(run, "--store", f"sqlite://{kept.rpartition(' ')[2]}") == ["alice", "bob"]


@pytest.mark.parametrize(
    ("store", "instead"),
    [("postgresql://a@b/c", "pg_restore"), ("dynamodb://eu-central-1/chat", "DynamoDB's own")],
)
def test_other_stores_have_means_of_their_own(run: Run, store: str, instead: str) -> None:
    code, out, err = run("restore", "/var/backups/copy.db", "--store", store)
    assert (code, out) == (2, "")
    assert instead in err
    assert "webchat import" in err
    assert err.count("\n") == 1

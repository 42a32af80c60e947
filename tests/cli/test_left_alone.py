"""What commands leave as it is: stores of an older version, and files that nobody serves."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.contract.older_file import OLDER, make_older, version_of
from tests.servers import Server

PASSWORD = "correct horse battery\n"


def files_in(directory: Path) -> dict[str, bytes]:
    """What is in all files of a directory."""
    return {each.name: each.read_bytes() for each in directory.iterdir()}


@pytest.fixture
def older(tmp_path: Path) -> Path:
    """The directory of a store of the version before this one."""
    make_older(tmp_path / "data" / "webchat.db")
    return tmp_path / "data"


@pytest.mark.parametrize(
    "args",
    [
        ["user", "list"],
        ["user", "add", "bob"],
        ["user", "passwd", "alice"],
        ["user", "disable", "alice"],
        ["export", "-"],
        ["check"],
    ],
    ids=" ".join,
)
def test_an_older_store_is_refused_and_stays_as_it_is(
    run: Run, older: Path, args: list[str]
) -> None:
    before = files_in(older)
    code, out, err = run(*args, "--data", str(older), stdin=PASSWORD)
    assert (code, out) == (1, "")
    assert err == (
        f"webchat: {older}/webchat.db is older than this webchat: `webchat serve` or "
        "`webchat store init` of this version brings it up to date\n"
    )
    assert files_in(older) == before


def test_an_older_store_is_brought_up_to_date_by_init(run: Run, older: Path) -> None:
    assert version_of(older / "webchat.db") == OLDER
    assert run("store", "init", "--data", str(older))[0] == 0
    assert run("user", "add", "bob", "--data", str(older), stdin=PASSWORD)[0] == 0


def test_an_older_store_is_brought_up_to_date_by_serving_it(run: Run, older: Path) -> None:
    with Server(older):
        assert run("user", "add", "bob", "--data", str(older), stdin=PASSWORD)[0] == 0


@pytest.mark.parametrize("args", [["check"], ["backup", "{target}"]], ids=["check", "backup"])
@pytest.mark.parametrize("state", ["a backup", "stopped", "killed"])
def test_who_only_reads_a_store_that_nobody_serves_does_not_change_it(
    run: Run, tmp_path: Path, args: list[str], state: str
) -> None:
    data = tmp_path / "data"
    with Server(data) as server:
        run("user", "add", "alice", "--data", str(data), stdin=PASSWORD)
        if state == "killed":
            server.kill()
    if state == "a backup":
        (data / "webchat.db").rename(tmp_path / "was.db")
        run("backup", str(data / "webchat.db"), "--store", f"sqlite://{tmp_path}/was.db")
    before = files_in(data)
    assert ("webchat.db-wal" in before) == (state == "killed")
    words = [word.format(target=tmp_path / "copy.db") for word in args]
    assert run(*words, "--data", str(data))[0] == 0
    after = files_in(data)
    for name in ("webchat.db", "webchat.db-wal"):
        assert after.get(name) == before.get(name)

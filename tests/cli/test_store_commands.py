"""`webchat user`, `backup`, `check` and `store init` on a real store."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.cli.conftest import Run, ended_of
from tests.contract.older_file import make_older

PASSWORD = "correct horse battery\n"


@pytest.fixture
def data(tmp_path: Path, run: Run) -> str:
    """A data directory with the account of alice."""
    directory = str(tmp_path / "data")
    assert (
        run("user", "add", "alice", "--name", "Alice Kim", "--data", directory, stdin=PASSWORD)[0]
        == 0
    )
    return directory


def test_accounts_are_listed_with_name_and_state(run: Run, data: str) -> None:
    run("user", "add", "bob", "--data", data, stdin=PASSWORD)
    run("user", "disable", "bob", "--data", data)
    _, out, _ = run("user", "list", "--data", data)
    assert out == "alice\tAlice Kim\tenabled\nbob\tbob\tdisabled\n"


def test_a_disabled_account_can_be_enabled_again(run: Run, data: str) -> None:
    run("user", "disable", "alice", "--data", data)
    assert run("user", "enable", "alice", "--data", data) == (0, "alice: enabled\n", "")
    _, out, _ = run("user", "list", "--data", data)
    assert out == "alice\tAlice Kim\tenabled\n"


@pytest.mark.parametrize(
    ("args", "stdin", "words"),
    [
        (["add", "ALICE"], PASSWORD, "taken"),
        (["add", "no blanks"], PASSWORD, "user ID"),
        (["add", "group_x"], PASSWORD, "user ID"),
        (["add", "alice"], "", "taken"),  # these three are said before a password is asked for
        (["add", "no blanks"], "", "user ID"),
        (["add", "bob", "--name", "x" * 65], "", "name"),
        (["add", "bob"], "short\n", "password"),
        (["add", "bob"], "", "password"),
        (["passwd", "nobody"], PASSWORD, "no user"),
        (["passwd", "nobody"], "", "no user"),  # said before a password is asked for
        (["disable", "nobody"], "", "no user"),
        (["enable", "nobody"], "", "no user"),
    ],
)
def test_what_cannot_be_done_is_one_line_and_exit_code_1(
    run: Run, data: str, args: list[str], stdin: str, words: str
) -> None:
    code, out, err = run("user", *args, "--data", data, stdin=stdin)
    assert (code, out) == (1, "")
    assert err.startswith("webchat: ")
    assert words in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("args", [["list"], ["add", "bob"], ["disable", "alice"]], ids=" ".join)
def test_a_store_in_open_mode_has_no_accounts(run: Run, tmp_path: Path, args: list[str]) -> None:
    run("store", "init", "--open", "--data", str(tmp_path))
    code, out, err = run("user", *args, "--data", str(tmp_path))
    assert (code, out) == (1, "")
    assert err == f"webchat: {tmp_path}/webchat.db is in open mode, where there are no accounts\n"


def test_a_password_is_no_option_of_the_command_line(run: Run, data: str) -> None:
    code, _, err = run("user", "add", "bob", "--password", "x" * 10, "--data", data)
    assert code == 2
    assert "--password" in err


def test_the_store_and_its_directory_are_private(data: str) -> None:
    directory = Path(data)
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    for path in directory.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0


def test_init_makes_a_store_and_does_not_mind_one(run: Run, tmp_path: Path) -> None:
    store = f"sqlite://{tmp_path}/made.db"
    for _ in range(2):
        assert run("store", "init", "--store", store)[0] == 0
    assert (tmp_path / "made.db").exists()


def test_a_store_of_the_other_mode_is_refused(run: Run, data: str) -> None:
    code, _, err = run("store", "init", "--open", "--data", data)
    assert code == 1
    assert "mode" in err


@pytest.mark.parametrize(
    "args",
    [
        ["user", "list"],
        ["user", "disable", "alice"],
        ["user", "enable", "alice"],
        ["user", "passwd", "alice"],
        ["export", "-"],
        ["backup", "/tmp/never-made.db"],  # noqa: S108
        ["check"],
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("is_empty", [False, True], ids=["none", "empty"])
def test_what_reads_or_changes_a_store_makes_none(
    run: Run, tmp_path: Path, args: list[str], is_empty: bool
) -> None:
    data = tmp_path / "data"
    if is_empty:
        data.mkdir()
        (data / "webchat.db").touch()
    code, out, err = run(*args, "--data", str(data), stdin=PASSWORD)
    assert (code, out) == (1, "")
    assert err == (
        f"webchat: {data}/webchat.db is empty: there is no store in it\n"
        if is_empty
        else f"webchat: there is no store at {data}/webchat.db\n"
    )
    assert [each.name for each in data.glob("*")] == ["webchat.db"] * is_empty


def test_a_sound_store_is_said_to_be_sound(run: Run, data: str) -> None:
    code, out, _ = run("check", "--data", data)
    assert code == 0
    assert out.endswith("sound\n")


def test_a_store_that_is_checked_as_one_of_the_other_mode_is_refused(run: Run, data: str) -> None:
    code, out, err = run("check", "--open", "--data", data)
    assert (code, out) == (1, "")
    assert "was made in secured mode" in err


def test_a_store_in_open_mode_is_checked_with_or_without_its_option(
    run: Run, tmp_path: Path
) -> None:
    run("store", "init", "--open", "--data", str(tmp_path))
    for option in ([], ["--open"]):
        code, out, _ = run("check", "--data", str(tmp_path), *option)
        assert code == 0
        assert out.endswith("sound\n")


def test_checking_what_is_no_store_fails(run: Run, tmp_path: Path) -> None:
    (tmp_path / "webchat.db").write_bytes(b"not a database" * 100)
    code, out, err = run("check", "--data", str(tmp_path))
    assert code == 1
    assert out or err


@pytest.mark.parametrize(
    "args",
    [["user", "list"], ["user", "add", "bob"], ["user", "disable", "alice"], ["export", "-"]],
    ids=" ".join,
)
def test_of_a_damaged_store_is_said_why_it_does_not_answer(data: str, args: list[str]) -> None:
    store = Path(data) / "webchat.db"
    overwrite_a_page_of(store, "account")
    ended = ended_of("-m", "webchat", *args, "--data", data, stdin=PASSWORD)
    assert ended.returncode == 1
    assert ended.stderr == (
        f"webchat: {store} does not answer: database disk image is malformed; "
        "webchat check says whether it is damaged\n"
    )


@pytest.mark.parametrize("args", [["check"], ["user", "list"], ["export", "-"]], ids=" ".join)
def test_of_a_store_whose_schema_is_no_text_is_said_that_it_is_damaged(
    run: Run, data: str, args: list[str]
) -> None:
    with closing(sqlite3.connect(Path(data) / "webchat.db")) as db, db:
        db.execute("PRAGMA writable_schema = ON")
        db.execute(
            "UPDATE sqlite_schema SET name = CAST(X'AB' AS TEXT), sql = 'CREATE' "
            "WHERE name = 'login'"
        )
    code, out, err = run(*args, "--data", data)
    assert (code, out) == (1, "")
    assert "malformed database schema (\\xab)" in err
    assert err.count("\n") == 1


def overwrite_a_page_of(store: Path, table: str) -> None:
    with closing(sqlite3.connect(store)) as db:
        query = "SELECT rootpage, page_size FROM sqlite_schema, pragma_page_size WHERE name = ?"
        page, size = db.execute(query, (table,)).fetchone()
    with store.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * 200)


def test_a_backup_is_a_private_copy_that_can_be_used(run: Run, data: str, tmp_path: Path) -> None:
    target = tmp_path / "copy.db"
    assert run("backup", str(target), "--data", data)[0] == 0
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    _, out, _ = run("user", "list", "--store", f"sqlite://{target}")
    assert out.startswith("alice\t")


def test_a_backup_overwrites_nothing(run: Run, data: str, tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_text("precious")
    code, _, err = run("backup", str(target), "--data", data)
    assert code == 1
    assert str(target) in err
    assert target.read_text() == "precious"


def test_a_name_that_the_terminal_cannot_show_is_shown_by_its_numbers(
    run: Run, data: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("user", "add", "bob", "--name", "밥", "--data", data, stdin=PASSWORD)
    monkeypatch.setenv("PYTHONIOENCODING", "latin-1")
    ended = ended_of("-m", "webchat", "user", "list", "--data", data)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "bob\t\\ubc25\tenabled" in ended.stdout


@pytest.mark.parametrize("errors", ["strict", "surrogateescape"])
def test_a_password_that_is_no_text_is_refused(
    data: str, monkeypatch: pytest.MonkeyPatch, errors: str
) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", f"utf-8:{errors}")
    said = piped(b"secret \xff\xfe\n", "user", "add", "bob", "--data", data)
    assert said == (1, "webchat: the password is no text in UTF-8\n")


def test_a_name_that_is_no_text_is_refused(data: str) -> None:
    said = piped(
        b"correct horse battery\n", "user", "add", "bob", "--name", b"\xff", "--data", data
    )
    assert said == (1, "webchat: the name is no text in UTF-8\n")


def piped(stdin: bytes, *words: str | bytes) -> tuple[int, str]:
    """The exit code of a command, and what it complains of."""
    command = [sys.executable, "-m", "webchat", *words]
    ended = subprocess.run(command, input=stdin, capture_output=True, timeout=30, check=False)
    return ended.returncode, ended.stderr.decode()


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("export - >&-", "standard output is closed"),
        ("import - <&-", "standard input is closed"),
        ("user add bob <&-", "standard input is closed: there is no password"),
    ],
)
def test_a_stream_that_is_closed_is_said_to_be(data: str, command: str, words: str) -> None:
    line = f"exec {sys.executable} -m webchat {command} --data {data}"
    ended = subprocess.run(
        ["sh", "-c", line], capture_output=True, text=True, timeout=30, check=False
    )
    assert (ended.returncode, ended.stderr) == (1, f"webchat: {words}\n")


@pytest.fixture
def shelf() -> Iterator[Path]:
    """A directory to which nothing can be written once it is asked to be as a stranger sees it."""
    with TemporaryDirectory() as made:
        yield Path(made)
        Path(made).chmod(0o700)


@contextmanager
def read_only(shelf: Path) -> Iterator[None]:
    """Nothing in the directory, or the directory, can be written by this process, root or not."""
    user = os.geteuid()
    for each in shelf.iterdir():
        each.chmod(0o444)
    shelf.chmod(0o555)
    if user == 0:
        os.seteuid(65_534)
    try:
        yield
    finally:
        os.seteuid(user)


def test_a_backup_on_read_only_media_can_be_checked_and_exported(
    run: Run, data: str, shelf: Path
) -> None:
    copy = shelf / "copy.db"
    run("backup", str(copy), "--data", data)
    with read_only(shelf):
        assert run("check", "--store", f"sqlite://{copy}")[:2] == (0, f"{copy}: sound\n")
        code, out, _ = run("export", "-", "--store", f"sqlite://{copy}")
        assert (code, '"alice"' in out) == (0, True)
    assert [each.name for each in shelf.iterdir()] == ["copy.db"]


def test_an_older_backup_on_read_only_media_is_named_as_it_was(run: Run, shelf: Path) -> None:
    make_older(shelf / "copy.db")
    with read_only(shelf):
        code, out, err = run("export", "-", "--store", f"sqlite://{shelf}/copy.db")
    assert (code, out) == (1, "")
    assert err.startswith(f"webchat: {shelf}/copy.db is older than this webchat: ")

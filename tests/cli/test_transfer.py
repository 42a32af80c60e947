"""`webchat export` and `import`: the files they write and read, and what they say of them."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Run, command, ended_of, refused

PASSWORD = "correct horse battery\n"


@pytest.fixture
def data(tmp_path: Path, run: Run) -> str:
    """A data directory with the account of alice."""
    directory = str(tmp_path / "data")
    assert run("user", "add", "alice", "--data", directory, stdin=PASSWORD)[0] == 0
    return directory


def test_what_was_exported_is_there_after_an_import(run: Run, data: str, tmp_path: Path) -> None:
    file, other = tmp_path / "webchat.jsonl", str(tmp_path / "other")
    assert run("export", str(file), "--data", data)[0] == 0
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert run("import", str(file), "--data", other)[0] == 0
    _, out, _ = run("user", "list", "--data", other)
    assert out == "alice\talice\tenabled\n"


def test_an_export_overwrites_nothing(run: Run, data: str, tmp_path: Path) -> None:
    file = tmp_path / "precious"
    file.write_text("precious")
    code, _, err = run("export", str(file), "--data", data)
    assert (code, err) == (1, f"webchat: {file} exists; an export does not overwrite\n")
    assert file.read_text() == "precious"


def test_an_export_makes_no_directory(run: Run, data: str, tmp_path: Path) -> None:
    file = tmp_path / "unmounted" / "webchat.jsonl"
    code, _, err = run("export", str(file), "--data", data)
    assert (code, err) == (1, f"webchat: {file} cannot be written: No such file or directory\n")
    assert not file.parent.exists()


def test_a_full_disk_is_said_of_what_is_written(data: str) -> None:
    with Path("/dev/full").open("wb") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "webchat", "export", "-", "--data", data],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=30,
            check=False,
        )
    words = "standard output cannot be written: No space left on device"
    assert (ended.returncode, ended.stderr) == (1, f"webchat: {words}\n")


def test_a_disk_that_is_full_for_a_new_store_is_said_to_be(data: str, tmp_path: Path) -> None:
    exported = command("export", "-", "--data", data)
    limited = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000)); "
    words = ["import", "-", "--data", str(tmp_path / "other")]
    program = f"{limited} from webchat.cli import main; main({words!r})"
    ended = ended_of("-c", program, stdin=exported)
    assert ended.returncode == 1
    assert ended.stderr == (
        f"webchat: {tmp_path}/other/webchat.db cannot be used as a store: disk I/O error\n"
    )


def test_what_a_cut_import_left_is_not_used_and_says_what_to_do(
    run: Run, data: str, tmp_path: Path
) -> None:
    for number in range(3):
        run("user", "add", f"bob-{number}", "--data", data, stdin=PASSWORD)
    file, other = str(tmp_path / "webchat.jsonl"), tmp_path / "other"
    run("export", file, "--data", data)
    # As if the process had been killed between two pages.
    words = ["import", file, "--data", str(other)]
    program = (
        "import os, webchat.service.transfer as t; "
        "t.import_.__kwdefaults__['page_records'] = 2; t._check = lambda *_: os._exit(9); "
        f"from webchat.cli import main; main({words!r})"
    )
    assert ended_of("-c", program).returncode == 9
    left = f"{other}/webchat.db holds a part of an import alone, which did not come to its end"
    assert left in refused("--port", "0", "--data", str(other))
    for args in (["user", "list"], ["import", file], ["export", "-"]):
        code, _, err = run(*args, "--data", str(other))
        assert (code, err.count("webchat: ")) == (1, 1)
        assert f"webchat: {left}: delete it" in err
    code, out, _ = run("check", "--data", str(other))
    assert (code, out.startswith("it holds a part of an import alone")) == (1, True)


def test_a_file_that_is_not_there_is_not_imported(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "none"
    code, _, err = run("import", str(file), "--data", str(tmp_path / "other"))
    assert (code, err) == (1, f"webchat: {file} cannot be read: No such file or directory\n")
    assert not (tmp_path / "other").exists()

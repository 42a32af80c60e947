"""The client that the README shows is run, as it stands, against a real server."""

from __future__ import annotations

import re
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import http
from tests.servers import Server

README = Path(__file__).parent.parent.parent / "README.md"
WITHIN_S = 20.0
PASSWORD = "correct horse battery"


@pytest.fixture
def shown() -> str:
    """The README's Python program."""
    (program,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    return str(program)


def test_the_client_of_the_readme_sends_its_message(tmp_path: Path, shown: str) -> None:
    with Server(tmp_path) as server:
        bot, _ = (register(server, uid) for uid in ("bot", "anna"))
        program = shown.replace("http://127.0.0.1:4000", server.url).replace('"..."', f'"{bot}"')
        assert program.count(bot) == program.count(server.url) == 1
        said = said_by(program, '"ConvID": "dm:anna:bot"'.replace('"', "'"))
        assert "'Seq': 1" in said


def register(server: Server, uid: str) -> str:
    """A new account; returns its token."""
    body = {"uid": uid, "name": uid, "password": PASSWORD}
    return str(http.post(f"{server.url}/api/v1/register", json=body).json()["token"])


def said_by(program: str, awaited: str) -> str:
    """What a program has printed once it contains `awaited`; the program is ended then."""
    process = subprocess.Popen(
        [sys.executable, "-u", "-c", program], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    said, deadline = "", time.monotonic() + WITHIN_S
    try:
        while awaited not in said and process.poll() is None:
            left = deadline - time.monotonic()
            assert select.select([process.stdout], [], [], max(0.0, left))[0], said
            said += process.stdout.readline()
    finally:
        process.kill()
        process.communicate()
    return said

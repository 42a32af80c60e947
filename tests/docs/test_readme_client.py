"""The client that the README shows is run, as it stands, against a real server."""

from __future__ import annotations

import os
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
URL = "http://127.0.0.1:4001"
WITHIN_S = 20.0
PASSWORD = "correct horse battery"


@pytest.fixture
def shown() -> str:
    """The README's Python program."""
    (program,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    return str(program)


def test_the_client_of_the_readme_sends_its_message(tmp_path: Path, shown: str) -> None:
    with Server(tmp_path, "--open") as server:
        assert shown.count(URL) == 1
        said = said_by(shown.replace(URL, server.url), "'ConvID': 'dm:anna:bot'")
        assert "'Seq': 1" in said


def test_with_accounts_it_is_given_the_token_of_a_login(tmp_path: Path, shown: str) -> None:
    with Server(tmp_path) as server:
        for uid in ("bot", "anna"):
            register(server, uid)
        login = http.post(f"{server.url}/api/v1/login", json={"uid": "bot", "password": PASSWORD})
        auth = {"token": login.json()["token"]}
        program = shown.replace(f'"{URL}"', f'"{server.url}", auth={auth}')
        said = said_by(program, "'ConvID': 'dm:anna:bot'")
        assert "'Seq': 1" in said


def register(server: Server, uid: str) -> None:
    """Make an account."""
    body = {"uid": uid, "name": uid, "password": PASSWORD}
    assert http.post(f"{server.url}/api/v1/register", json=body).status_code == 201


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
            said += os.read(process.stdout.fileno(), 65_536).decode()
    finally:
        process.kill()
        process.communicate()
    return said

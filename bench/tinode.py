"""Tinode 0.25 on PostgreSQL, a peer with a protocol of its own (load/tinode.c)."""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.running import HERE, SERVER_CORE, Running, process, wait_until_up
from tests.engines.postgresql import PostgresServer, postgres_server
from tests.ports import free_port

_BUILT = HERE / "peers" / "bin" / "tinode"
SERVER, _MAKE_DATABASE = _BUILT / "server", _BUILT / "tinode-db"
"""There where Go could build them."""
_DATABASE, _OF_THE_USER = "tinode", "webchat"
"""Its own it makes itself, from within the one that is called as the user."""
_CONNECTIONS = 20
"""To the database, more do not help it; its own setting for that comes too late to have effect."""
_SALT = "T713/rYYgW7g4m3vG6zGRh7+FM1t0T8j13koXScOAj4="
"""The one it comes with, for which the load client has a key."""


@contextmanager
def tinode() -> Iterator[tuple[Running, PostgresServer]]:
    """One node on PostgreSQL, which syncs each commit; it listens for WebSockets alone."""
    port = free_port()
    with postgres_server(fsync=True) as database, TemporaryDirectory() as folder:
        database.new_database(_OF_THE_USER)
        config = Path(folder) / "tinode.conf"
        config.write_text(json.dumps(_config(port, database.url(_DATABASE))))
        made = [str(_MAKE_DATABASE), "--config", str(config)]
        subprocess.run(made, check=True, capture_output=True)
        command = [str(SERVER), "--config", str(config), "--static_data=-", "--expvar=-"]
        with process(command, SERVER_CORE, stderr=subprocess.DEVNULL) as server:
            wait_until_up(server, port)
            yield Running((server.pid,), (port,), "tinode"), database


def _config(port: int, database: str) -> dict[str, object]:
    return {
        "listen": f"127.0.0.1:{port}",
        "api_key_salt": _SALT,
        "auth_config": {"token": {"expire_in": 3_600, "serial_num": 1, "key": _key(32)}},
        "push": [],
        "store_config": {
            "uid_key": _key(16),
            "use_adapter": "postgres",
            "adapters": {"postgres": {"dsn": f"{database}?pool_max_conns={_CONNECTIONS}"}},
        },
    }


def _key(size: int) -> str:
    """Nothing is kept that it would keep secret."""
    return base64.b64encode(bytes(range(size))).decode()

"""Centrifugo 6 with its memory engine, a peer with a protocol of its own (load/centrifugo.c): a
channel for each user and for the group, as the rooms of peers/socketio; nobody is checked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.running import HERE, SERVER_CORE, Running, process, wait_until_up
from tests.ports import free_port

BINARY = HERE / "peers" / "bin" / "centrifugo"
"""There where Go could build it."""
_HISTORY = {"history_size": 100, "history_ttl": "300s", "force_recovery": True}


@contextmanager
def centrifugo(*, history: bool = False) -> Iterator[Running]:
    """Centrifugo as it comes; `history`: it keeps the last messages of each channel, numbers them,
    and can give them to a client that comes back. Go takes as many threads as it has cores: one."""
    port = free_port()
    with TemporaryDirectory() as folder:
        config = Path(folder) / "config.json"
        config.write_text(json.dumps(_config(port, history)))
        with process([str(BINARY), "--config", str(config)], SERVER_CORE) as server:
            wait_until_up(server, port)
            yield Running((server.pid,), (port,), "centrifugo")


def _config(port: int, history: bool) -> dict[str, object]:
    channels = {
        f"allow_{act}_for_{who}": True
        for act in ("publish", "subscribe")
        for who in ("client", "anonymous")
    }
    return {
        "http_server": {"address": "127.0.0.1", "port": port},
        "log": {"level": "error"},
        "usage_stats": {"disabled": True},
        "client": {"allow_anonymous_connect_without_token": True},
        "channel": {"without_namespace": channels | (_HISTORY if history else {})},
    }

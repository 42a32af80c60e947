"""The peer: python-socketio on aiohttp and uvloop, the same application as peers/socketio."""

from __future__ import annotations

import asyncio
from typing import Any

import socketio
import uvloop
from aiohttp import web

sio = socketio.AsyncServer(async_mode="aiohttp", transports=["websocket"])


async def join(sid: str, form: dict[str, Any]) -> dict[str, Any]:
    """Enter the user's room."""
    await sio.enter_room(sid, form["uid"])
    return {"ok": True, "uid": form["uid"]}


async def chat(_: str, envelope: dict[str, Any]) -> dict[str, Any]:
    """Pass the message to its receiver."""
    await sio.emit("chat", envelope, room=envelope["To"])
    return {"ok": True, "MsgID": envelope["MsgID"]}


async def serve() -> None:
    """Serve on a free port of the loopback, and print it."""
    sio.on("join", join)
    sio.on("chat", chat)
    app = web.Application()
    sio.attach(app)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve())

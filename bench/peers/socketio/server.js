// The peer: npm socket.io with a room per user, in memory, nothing stored, nobody checked.
// With a Redis URL as its argument, one of several nodes joined by the redis-adapter.

import { createServer } from "node:http";
import { createAdapter } from "@socket.io/redis-adapter";
import { createClient } from "redis";
import { Server } from "socket.io";

const [, , redis] = process.argv;
const http = createServer();
const io = new Server(http, { transports: ["websocket"], serveClient: false });

if (redis) {
  const publisher = createClient({ url: redis });
  const subscriber = publisher.duplicate();
  await Promise.all([publisher.connect(), subscriber.connect()]);
  io.adapter(createAdapter(publisher, subscriber));
}

io.on("connection", (socket) => {
  socket.on("join", ({ uid, rooms = [] }, ack) => {
    socket.join([uid, ...rooms]);
    ack({ ok: true, uid });
  });
  socket.on("chat", (envelope, ack) => {
    io.to(envelope.To).emit("chat", envelope);
    ack({ ok: true, MsgID: envelope.MsgID });
  });
});

http.listen(0, "127.0.0.1", () => console.log(http.address().port));

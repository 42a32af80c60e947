// The peer: npm socket.io with a room per user, in memory, nothing stored, nobody checked.

import { createServer } from "node:http";
import { Server } from "socket.io";

const http = createServer();
const io = new Server(http, { transports: ["websocket"], serveClient: false });

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

// Drives real socket.io clients for pytest: commands as JSON lines on stdin, events on stdout.
//
// Commands: {id, do: "open", url, options} · {id, do: "emit", args} · {id, do: "call", args,
// timeoutMs} · {id, do: "close"}. Each is answered by {id, ok} or {id, error}; what the client
// hears comes as {heard: name, args}. With an error comes why the connection failed or ended.

import { createInterface } from "node:readline";
import { io } from "socket.io-client";

let socket;
let ended = "";

const say = (line) => process.stdout.write(JSON.stringify(line) + "\n");
const hear = (heard, ...args) => say({ heard, args });

// Of an error of the transport: what it is, and the status of HTTP or what else was wrong.
const why = (error) =>
  [error?.message, error?.description?.message ?? error?.description].filter(Boolean).join(": ");

function open({ url, options }) {
  socket = io(url, { reconnection: false, ...options });
  socket.onAny(hear);
  socket.on("disconnect", (reason, details) => {
    ended = [reason, why(details)].join(" ");
    hear("disconnect", reason);
  });
  socket.io.engine.on("upgrade", (transport) => hear("upgrade", transport.name));
  return new Promise((resolve, reject) => {
    socket.once("connect", () => resolve(socket.io.engine.transport.name));
    socket.once("connect_error", (error) =>
      reject(Object.assign(new Error(why(error)), { data: error.data })),
    );
  });
}

const commands = {
  open,
  emit: ({ args }) => void socket.emit(...args),
  call: ({ args, timeoutMs }) => socket.timeout(timeoutMs).emitWithAck(...args),
  close: () => void socket.disconnect(),
};

for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  Promise.resolve()
    .then(() => commands[command.do](command))
    .then((ok) => say({ id: command.id, ok: ok ?? null }))
    .catch((error) =>
      say({
        id: command.id,
        error: [error.message, ended].filter(Boolean).join("; ended: "),
        data: error.data ?? null,
      }),
    );
}
socket?.disconnect();

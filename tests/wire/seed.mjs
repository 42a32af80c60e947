// Drives socket.io-client 1.7.3, which the seed's page loads, for pytest: as client.mjs does.
//
// Commands: {id, do: "open", url, options} · {id, do: "emit", args} · {id, do: "call", args,
// timeoutMs} · {id, do: "drop"} · {id, do: "close"}. Each is answered by {id, ok} or {id, error};
// what the client hears comes as {heard: name, args}. `drop` cuts the network below the client.

import { createInterface } from "node:readline";
import io from "socket.io-client-1";

let socket;

const say = (line) => process.stdout.write(JSON.stringify(line) + "\n");
const hear = (heard, ...args) => say({ heard, args });

// Of an error of the transport: what it is, and the status of HTTP or what else was wrong.
const why = (error) =>
  [error.message, error.description?.message ?? error.description].filter(Boolean).join(": ");

function open({ url, options }) {
  socket = io(url, { reconnection: false, ...options });
  for (const name of ["chat", "disconnect"]) socket.on(name, (...args) => hear(name, ...args));
  // The library's own troubles come under the same name as the server's event.
  socket.on("error", (said) => said instanceof Error || hear("error", said));
  for (const name of ["reconnect", "pong"]) socket.on(name, () => hear(name));
  return new Promise((resolve, reject) => {
    socket.once("connect", () => resolve(socket.io.engine.transport.name));
    socket.once("connect_error", (error) => reject(new Error(why(error))));
    socket.io.engine.on("upgrade", (transport) => hear("upgrade", transport.name));
  });
}

function call({ args, timeoutMs }) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error("no ack in time")), timeoutMs);
    socket.emit(...args, (ack) => {
      clearTimeout(timer);
      resolve(ack);
    });
  });
}

function drop() {
  const { engine } = socket.io;
  if (engine.transport.ws) engine.transport.ws.terminate();
  else engine.onClose("transport error");
}

const commands = {
  open,
  emit: ({ args }) => void socket.emit(...args),
  call,
  drop,
  close: () => void socket.disconnect(),
};

for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  Promise.resolve()
    .then(() => commands[command.do](command))
    .then((ok) => say({ id: command.id, ok: ok ?? null }))
    .catch((error) => say({ id: command.id, error: error.message, data: null }));
}
socket?.disconnect();

/** The development server, in front of a webchat server that compares Origin with Host. */
import { createServer as createHttpServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { createServer } from "vite";
import { expect, onTestFinished, test, vi } from "vitest";

async function listening(seen: (request: IncomingMessage) => void): Promise<string> {
  const server = createHttpServer((request, response) => {
    seen(request);
    response.end();
  });
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  onTestFinished(() => void server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function devServer(server: string): Promise<string> {
  vi.stubEnv("WEBCHAT_DEV_SERVER", server);
  vi.resetModules();
  const { default: config } = await import("../vite.config.ts");
  const dev = await createServer({
    ...config,
    configFile: false,
    cacheDir: `${tmpdir()}/webchat-dev-server-test`,
    optimizeDeps: { noDiscovery: true },
    server: { ...config.server, host: "127.0.0.1", port: 0, ws: false, watch: null },
  });
  await dev.listen();
  onTestFinished(() => dev.close());
  return dev.resolvedUrls?.local[0] ?? "";
}

test.each(["/api/v1/login", "/socket.io/"])(
  "what a page asks for at %s reaches the server with the Host it was asked with",
  async (path) => {
    const hosts: (string | undefined)[] = [];
    const page = await devServer(await listening((request) => hosts.push(request.headers.host)));
    await fetch(new URL(path, page), { method: "POST" });
    expect(hosts).toEqual([new URL(page).host]);
  },
);

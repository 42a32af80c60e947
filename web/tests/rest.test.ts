/** What REST calls end with, over real HTTP. */

import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { describe, expect, onTestFinished, test } from "vitest";
import { REST_DEFAULTS, Rest } from "../src/transport/rest.ts";
import { asFailure, UNREACHABLE } from "../src/wire/failure.ts";

/** The code of the failure that a call ends with which `answer` answers. */
async function codeOf(answer: (response: ServerResponse) => void): Promise<string> {
  const server = createServer((_request, response) => answer(response));
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const rest = new Rest({ ...REST_DEFAULTS, base: `http://127.0.0.1:${port}/api/v1` });
  return rest.me().then(
    () => "",
    (thrown) => asFailure(thrown).code,
  );
}

describe("a call", () => {
  test.each([
    [404, "<h1>Not Found</h1>", "unavailable"],
    [404, '{"code": 404, "message": "no route"}', "unavailable"],
    [403, "", "unavailable"],
    [502, "<h1>Bad Gateway</h1>", "unavailable"],
    [401, "", "unauthenticated"],
    [429, "", "rate_limited"],
    [404, '{"code": "not_found", "detail": "There is nothing here."}', "not_found"],
    [400, '{"code": "bad_request", "detail": "Name the user."}', "bad_request"],
  ])("answered with %i and %s fails as %s", async (status, body, code) => {
    expect(await codeOf((response) => response.writeHead(status).end(body))).toBe(code);
  });

  test("whose answer breaks off, or is none of the server's, has not reached it as far as can be told", async () => {
    const brokenOff = await codeOf((response) => {
      response.writeHead(200, { "Content-Length": 100 }).write('{"uid":', () => response.destroy());
    });
    const foreign = await codeOf((response) => response.end("<h1>Welcome to our network</h1>"));
    expect([brokenOff, foreign]).toEqual([UNREACHABLE, UNREACHABLE]);
  });
});

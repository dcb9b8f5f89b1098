import { IncomingMessage } from "node:http";
import { Socket } from "node:net";
import { expect, test } from "vitest";
import { tokenGuard } from "./guard.js";

const caller = { uid: 1, groups: [], admin: false };

function asked(headers: Readonly<Record<string, string>>): IncomingMessage {
  const request = new IncomingMessage(new Socket());
  Object.assign(request.headers, { host: "127.0.0.1:1", ...headers });
  return request;
}

test("who holds the token gets in; a request without a header never does, whatever the token is", () => {
  const held = tokenGuard("secret", caller);
  expect(held(asked({ authorization: "Bearer secret" }))).toEqual({ ok: true, caller });
  expect(held(asked({ authorization: "Bearer other" }))).toMatchObject({ ok: false, status: 401 });
  expect(held(asked({}))).toMatchObject({ ok: false, status: 401 });
  const empty = tokenGuard("", caller);
  for (const headers of [{}, { authorization: "" }, { authorization: "Bearer " }])
    expect(empty(asked(headers))).toMatchObject({ ok: false, status: 401 });
});

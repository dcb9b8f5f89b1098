import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, it } from "vitest";
import { ProvisionFile } from "../../protocol/provision-file.js";
import { fetchKeys, keysAt } from "./fetch-keys.js";

const KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0123456789abcdefghijklmnopqrstuv me@desk";
const { signal } = new AbortController();

let server: Server;
let origin: string;
/** How the endless answer ended. */
let left: Promise<void>;
/** The server has no certificate: the way to it is http, what is asked for is https. */
const request: typeof fetch = (url, init) => fetch(String(url).replace(/^https/, "http"), init);
beforeEach(async () => {
  let isLeft = () => {};
  left = new Promise((done) => {
    isLeft = done;
  });
  server = createServer((asked, response) => {
    if (asked.url === "/me.keys") response.end(`# mine\n${KEY}\n\n`);
    else if (asked.url === "/page") response.end("<html>");
    else {
      const more = () => {
        while (!response.destroyed && response.write("#".repeat(4_096)));
      };
      response.on("drain", more).on("close", isLeft);
      more();
    }
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  origin = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(() => server.close());

it("the keys of a list, which is asked for over https alone", async () => {
  expect(await keysAt(`${origin}/me.keys`, request, signal)).toEqual([KEY]);
  const plain = `${origin.replace("https", "http")}/me.keys`;
  await expect(keysAt(plain, fetch, signal)).rejects.toThrow(/must be an https URL/);
  await expect(keysAt("me.keys", fetch, signal)).rejects.toThrow(/must be an https URL/);
});

it("what is no list, and what does not end, is refused; no more of it is read", async () => {
  await expect(keysAt(`${origin}/page`, request, signal)).rejects.toThrow(/no list of public keys/);
  await expect(keysAt(`${origin}/endless`, request, signal)).rejects.toThrow(/larger than 64 KiB/);
  await left;
});

it("a list that cannot be read says why, and that the file's own network is not set yet", async () => {
  const users = [{ name: "ada", ssh_key_urls: ["https://127.0.0.1:9/ada.keys"] }];
  const asked = (more: object) => fetchKeys(ProvisionFile.parse({ users, ...more }), fetch, signal);
  await expect(asked({})).rejects.toThrow(/ada\.keys: (?!fetch failed).*[^)]$/);
  await expect(asked({ network: {} })).rejects.toThrow(/before the network of this file is set/);
});

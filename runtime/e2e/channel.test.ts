import { execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer as createHttpsServer, type Server } from "node:https";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, it } from "vitest";
import { openMachine } from "../appliance/machine.js";
import { serveSystem } from "../appliance/serve.js";
import { VERBS } from "../appliance/verbs.js";
import { callerOf } from "../protocol/caller.js";
import type { SystemResult } from "../protocol/system-verbs.js";
import { portOf } from "../test/egress-world.js";
import { type Ended, startAgentd } from "./agentd-process.js";

// The command line, the real root service, and a channel on a real HTTPS server whose authority only agentd.yaml names.
let dir: string;
let root: string;
let site: string;
let server: Server;
let asked: { url: string; range: string | undefined }[];
/** What the next installation comes to; undefined where the real one answers. */
let installed: SystemResult<"install-bundle"> | undefined;
let stop: AbortController;
let ended: Promise<void>;
const bundle = randomBytes(400_000);

const openssl = (...args: string[]) => execFileSync("openssl", args, { cwd: dir, stdio: "pipe" });
const EC = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "aaos-channel-"));
  root = join(dir, "root");
  site = join(dir, "site");
  for (const folder of [
    site,
    ...["run", "etc/rauc", "etc/aaos", "usr/lib/aaos"].map((it) => join(root, it)),
  ])
    mkdirSync(folder, { recursive: true });
  const purposes = [
    ["signer", "codeSigning", ""],
    ["web", "serverAuth", "subjectAltName=IP:127.0.0.1"],
  ] as const;
  openssl(
    "req",
    "-x509",
    ...EC,
    "-keyout",
    "ca.key",
    "-out",
    "ca.pem",
    "-subj",
    "/CN=ca",
    "-addext",
    "basicConstraints=critical,CA:TRUE",
  );
  for (const [name, purpose, more] of purposes) {
    openssl("req", ...EC, "-keyout", `${name}.key`, "-out", `${name}.csr`, "-subj", `/CN=${name}`);
    writeFileSync(
      join(dir, "ext"),
      `basicConstraints=CA:FALSE\nextendedKeyUsage=${purpose}\n${more}\n`,
    );
    openssl(
      "x509",
      "-req",
      "-in",
      `${name}.csr`,
      "-CA",
      "ca.pem",
      "-CAkey",
      "ca.key",
      "-CAcreateserial",
      "-extfile",
      "ext",
      "-out",
      `${name}.pem`,
    );
  }
  const pem = (name: string) => readFileSync(join(dir, name));
  server = createHttpsServer({ key: pem("web.key"), cert: pem("web.pem") }, (request, response) => {
    const { url = "" } = request;
    const { range } = request.headers;
    asked.push({ url, range });
    const file = join(site, url);
    if (!existsSync(file)) return void response.writeHead(404).end();
    const from = Number(/bytes=(\d+)-/.exec(range ?? "")?.[1] ?? 0);
    response.writeHead(from > 0 ? 206 : 200).end(readFileSync(file).subarray(from));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  cpSync(join(dir, "ca.pem"), join(root, "etc/rauc/keyring.pem"));
  writeFileSync(join(root, "etc/rauc/system.conf"), "[system]\ncompatible=box\n");
  writeFileSync(join(root, "usr/lib/aaos/version"), "1.0.0\n");
  const listener = createServer({ allowHalfOpen: true });
  await new Promise<void>((resolve) =>
    listener.listen(join(root, "run/aaos-system.sock"), resolve),
  );
  stop = new AbortController();
  ended = serveSystem({
    ...{
      server: listener,
      verbs: {
        ...VERBS,
        // Slots are a machine's: what follows an installation is seen here, the installation in image/test/.
        "install-bundle": async (params, call) =>
          installed ?? (await VERBS["install-bundle"](params, call)),
      },
      machine: openMachine(root, ["/usr/bin"]),
      record: () => {},
    },
    peerOf: () => callerOf({ uid: 0, gid: 0, groups: [] }, { gid: null, owner: null }),
    ...{ signal: stop.signal, idleMs: 600_000 },
  });
});
afterAll(async () => {
  stop.abort();
  await ended;
  server.close();
  rmSync(dir, { recursive: true, force: true });
});
beforeEach(() => {
  asked = [];
  installed = undefined;
  rmSync(join(dir, "home"), { recursive: true, force: true });
  settings("");
});

function settings(more: string): void {
  const ca = `ca_files: ["${join(dir, "ca.pem")}"]\n`;
  const url = `https://127.0.0.1:${portOf(server)}/aaos/`;
  writeFileSync(join(root, "etc/aaos/agentd.yaml"), `${ca}upgrade: {url: "${url}"${more}}\n`);
}

function publish(
  serial: number,
  version: string,
  sha256 = createHash("sha256").update(bundle).digest("hex"),
): void {
  mkdirSync(join(site, "aaos"), { recursive: true });
  writeFileSync(join(site, "aaos", `${version}.raucb`), bundle);
  const release = {
    version,
    compatible: "box",
    url: `${version}.raucb`,
    sha256,
    size_bytes: bundle.length,
  };
  const index = {
    format: 1,
    channel: "stable",
    serial,
    expires: "2099-01-01T00:00:00Z",
    releases: [release],
  };
  writeFileSync(join(dir, "index.json"), JSON.stringify(index));
  const out = ["-binary", "-nodetach", "-outform", "DER", "-out", join(site, "aaos/stable.index")];
  openssl(
    "cms",
    "-sign",
    "-in",
    "index.json",
    "-signer",
    "signer.pem",
    "-inkey",
    "signer.key",
    ...out,
  );
}

const upgrade = (...args: string[]): Promise<Ended> =>
  startAgentd(["--root", root, "system", "upgrade", ...args], { env: { HOME: join(dir, "home") } })
    .ended;
const cached = () => {
  const cache = join(dir, "home/.cache/aaos/upgrades");
  return existsSync(cache) ? readdirSync(cache).filter((name) => name.includes(".raucb")) : [];
};

it("--check says what the channel has, and fetches no bundle; the same without a word", async () => {
  publish(1, "2.0.0");
  const { code, stdout } = await upgrade("--check", "--json");
  expect({ code, offer: JSON.parse(stdout) as unknown }).toMatchObject({
    code: 0,
    offer: { running: "1.0.0", release: { version: "2.0.0" }, failed: null, serial: 1 },
  });
  expect((await upgrade()).stdout).toContain("stable has version 2.0.0 (0 MiB); 1.0.0 runs");
  expect(asked.map(({ url }) => url)).toEqual(["/aaos/stable.index", "/aaos/stable.index"]);
});

it("--download has the bundle ready, goes on where it was cut, and asks for it once", async () => {
  publish(1, "2.0.0");
  const name = /^2\.0\.0-[0-9a-f]{16}\.raucb$/;
  await upgrade("--download");
  const [file = ""] = cached();
  expect(file).toMatch(name);
  const path = join(dir, "home/.cache/aaos/upgrades", file);
  expect(readFileSync(path).equals(bundle)).toBe(true);
  rmSync(path);
  writeFileSync(`${path}.part`, bundle.subarray(0, 123_456));
  asked = [];
  expect((await upgrade("--download")).stdout).toContain("version 2.0.0 is here");
  expect(asked.at(-1)?.range).toBe("bytes=123456-");
  expect(readFileSync(path).equals(bundle)).toBe(true);
  asked = [];
  await upgrade("--download");
  expect(asked.map(({ url }) => url)).toEqual(["/aaos/stable.index"]);
});

it("a bundle that is another than the index says is deleted and refused", async () => {
  publish(1, "2.0.0", "0".repeat(64));
  const { code, stderr } = await upgrade("--download");
  expect(code).toBe(2);
  expect(stderr).toContain("has not the checksum");
  expect(cached()).toEqual([]);
});

it("--apply asks the root service for this very bundle, which says that this is no installed disk", async () => {
  publish(1, "2.0.0");
  const { code, stderr } = await upgrade("--apply");
  expect({ code, stderr }).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("does not run from an installed disk") as string,
  });
  expect(cached()).toHaveLength(1);
  installed = { slot: "B", version: "2.0.0", database_copy: null };
  expect((await upgrade("--apply")).stdout).toContain("version 2.0.0 is in slot B");
  // It is in its slot: the cache has no more use for it.
  expect(cached()).toEqual([]);
});

it("one bundle lies in the cache: another that is fetched takes its place", async () => {
  publish(1, "2.0.0");
  await upgrade("--download");
  publish(2, "2.1.0");
  await upgrade("--download");
  expect(cached()).toEqual([expect.stringMatching(/^2\.1\.0-/)]);
  publish(2, "2.0.0");
});

it("a time that is none is refused before anything is fetched or written", async () => {
  const { code, stderr } = await upgrade("--apply", "--reboot-at", "tonight");
  expect({ code, asked }).toEqual({ code: 2, asked: [] });
  expect(stderr).toContain("--reboot-at tonight is no time");
});

it("nothing newer is no error; an older index is refused, whoever hosts it", async () => {
  publish(5, "1.0.0");
  expect(await upgrade("--apply")).toMatchObject({
    code: 0,
    stdout: "1.0.0 runs, and stable has nothing newer\n",
  });
  publish(4, "2.0.0");
  const { code, stderr } = await upgrade("--check");
  expect(code).toBe(2);
  expect(stderr).toContain("its serial is 4; 5 was seen before");
});

it("by itself it does what the setting says and no more: nothing, look, or have it ready", async () => {
  publish(6, "2.0.0");
  expect(await upgrade("--scheduled")).toMatchObject({ code: 0, stdout: "" });
  expect(asked).toEqual([]);
  settings(", automatic: check");
  expect((await upgrade("--scheduled")).stdout).toContain("stable has version 2.0.0");
  expect(cached()).toEqual([]);
  settings(", automatic: download");
  await upgrade("--scheduled");
  expect(cached()).toHaveLength(1);
  const now = new Date();
  const hour = (more: number) => `${String((now.getHours() + more) % 24).padStart(2, "0")}:00`;
  settings(`, automatic: apply, window: "${hour(2)}-${hour(3)}"`);
  expect((await upgrade("--scheduled")).code).toBe(0);
  settings(`, automatic: apply, random_delay_minutes: 0, window: "${hour(0)}-${hour(2)}"`);
  expect((await upgrade("--scheduled")).stderr).toContain("does not run from an installed disk");
});

it("without a channel it says how one is set up", async () => {
  writeFileSync(join(root, "etc/aaos/agentd.yaml"), "");
  const { code, stderr } = await upgrade("--check");
  expect(code).toBe(2);
  expect(stderr).toContain("upgrade: {url: https://…}");
});

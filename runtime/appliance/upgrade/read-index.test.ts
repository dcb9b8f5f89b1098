import { execFileSync } from "node:child_process";
import { createHash, X509Certificate } from "node:crypto";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { newestRelease } from "../../protocol/channel.js";
import { openMachine } from "../machine.js";
import { readIndex } from "./read-index.js";

// Real keys and real signatures, by the openssl of this host.
let dir: string;
let root: string;
const NOW = new Date("2026-11-24T00:00:00Z");

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "aaos-index-"));
  authority("ours");
  authority("theirs");
  leaf("first", "ours", "codeSigning");
  leaf("second", "ours", "codeSigning");
  leaf("server", "ours", "serverAuth");
  leaf("foreign", "theirs", "codeSigning");
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));
beforeEach(() => {
  root = mkdtempSync(join(dir, "root-"));
  mkdirSync(join(root, "etc/rauc"), { recursive: true });
  mkdirSync(join(root, "run"));
  cpSync(join(dir, "ours.pem"), join(root, "etc/rauc/keyring.pem"));
});

const openssl = (...args: string[]) => execFileSync("openssl", args, { cwd: dir, stdio: "pipe" });
const EC = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];

function authority(name: string): void {
  const ca = [
    "-addext",
    "basicConstraints=critical,CA:TRUE",
    "-addext",
    "keyUsage=critical,keyCertSign",
  ];
  openssl(
    "req",
    "-x509",
    ...EC,
    "-keyout",
    `${name}.key`,
    "-out",
    `${name}.pem`,
    "-subj",
    `/CN=${name}`,
    ...ca,
  );
}

function leaf(name: string, by: string, purpose: string): void {
  openssl("req", ...EC, "-keyout", `${name}.key`, "-out", `${name}.csr`, "-subj", `/CN=${name}`);
  writeFileSync(
    join(dir, "ext"),
    `basicConstraints=CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=critical,${purpose}\n`,
  );
  const signed = ["-CA", `${by}.pem`, "-CAkey", `${by}.key`, "-CAcreateserial", "-extfile", "ext"];
  openssl("x509", "-req", "-in", `${name}.csr`, ...signed, "-out", `${name}.pem`);
}

const fingerprint = (name: string) =>
  createHash("sha256")
    .update(new X509Certificate(readFileSync(join(dir, `${name}.pem`))).raw)
    .digest("hex");

const release = (version: string, more: object = {}) => ({
  ...{ version, compatible: "box", url: `${version}.raucb`, sha256: "0".repeat(64), size_bytes: 1 },
  ...more,
});
const index = (serial: number, more: object = {}) => ({
  ...{ format: 1, channel: "stable", serial, expires: "2027-01-01T00:00:00Z" },
  ...{ releases: [release("2.0.0")], ...more },
});

function signed(content: object, by = "first"): Buffer {
  writeFileSync(join(dir, "content"), JSON.stringify(content));
  const how = [
    "-binary",
    "-nodetach",
    "-outform",
    "DER",
    "-signer",
    `${by}.pem`,
    "-inkey",
    `${by}.key`,
  ];
  openssl("cms", "-sign", ...how, "-in", "content", "-out", "signed");
  return readFileSync(join(dir, "signed"));
}
const read = (bytes: Buffer, now = NOW) => readIndex(openMachine(root), "stable", bytes, now);
const refused = (bytes: Buffer, message: RegExp, now = NOW) =>
  expect(read(bytes, now)).rejects.toMatchObject({ code: "invalid_file", message });

test("an index that is signed under the image's keyring is read", async () => {
  expect(await read(signed(index(1)))).toMatchObject({
    serial: 1,
    releases: [{ version: "2.0.0" }],
  });
});

test("refused: another authority, another purpose, a changed byte, no signature", async () => {
  await refused(signed(index(1), "foreign"), /signature is not one that this machine trusts/);
  await refused(signed(index(1), "server"), /not for code/);
  const changed = signed(index(1));
  changed[changed.indexOf("2.0.0")] = 0x39;
  await refused(changed, /signature is not one/);
  await refused(Buffer.from(JSON.stringify(index(1))), /signature is not one/);
});

test("refused: another channel's, one that has expired, what is no index", async () => {
  await refused(signed(index(1, { channel: "beta" })), /index of "beta"/);
  await refused(signed(index(1)), /expired at 2027/, new Date("2027-01-01T00:00:00Z"));
  await refused(signed({ hello: 1 }), /not that of an index/);
});

test("a serial that was seen is not gone back behind; the same one may come again", async () => {
  await read(signed(index(7)));
  await refused(signed(index(6)), /serial is 6; 7 was seen/);
  expect((await read(signed(index(7)))).serial).toBe(7);
});

test("a key is rotated: the next one signs, and the old one, once retired, is never taken again", async () => {
  await read(signed(index(1), "first"));
  await read(signed(index(2, { retired: [fingerprint("first")] }), "second"));
  await refused(signed(index(3), "first"), /retired/);
  expect((await read(signed(index(3), "second"))).serial).toBe(3);
});

test("an index that is refused leaves no trace", async () => {
  await refused(signed(index(9, { retired: [fingerprint("second")] }), "foreign"), /signature/);
  expect((await read(signed(index(1), "second"))).serial).toBe(1);
});

test("the newest release that fits: this kind of machine, newer than what runs, and reachable from it", () => {
  const releases = [
    release("1.9.0"),
    release("2.0.0"),
    release("2.1.0", { compatible: "other" }),
    release("3.0.0", { min_version: "2.0.0" }),
  ];
  const found = (version: string) =>
    newestRelease({ ...index(1), releases, retired: [] } as never, { compatible: "box", version })
      ?.version;
  expect(found("1.0.0")).toBe("2.0.0");
  expect(found("2.0.0")).toBe("3.0.0");
  expect(found("3.0.0")).toBeUndefined();
});

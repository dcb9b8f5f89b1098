import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { networkOf } from "./network-of.js";
import { Settings } from "./protocol/settings.js";

it("the daemon's own calls trust the authorities of ca_files, go through the proxy, and a file that is not there is named", () => {
  const dir = mkdtempSync(join(tmpdir(), "aaos-ca-"));
  try {
    const file = join(dir, "ours.pem");
    writeFileSync(file, "-----BEGIN CERTIFICATE-----\n");
    const of = (settings: object) => networkOf({ settings: Settings.parse(settings) });
    expect(of({ ca_files: [file], proxy: "http://proxy.example:3128" })).toEqual({
      ca: ["-----BEGIN CERTIFICATE-----\n"],
      proxy: "http://proxy.example:3128",
    });
    expect(of({})).toEqual({});
    expect(() => of({ ca_files: [join(dir, "none.pem")] })).toThrow(
      /agentd\.yaml: ca_files: .*none\.pem cannot be read/,
    );
  } finally {
    rmSync(dir, { recursive: true });
  }
});

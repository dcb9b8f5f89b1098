import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type CredentialSources, readCredential } from "./credentials.js";

let dir: string;
let sources: CredentialSources;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "aaos-credentials-"));
  for (const folder of ["unit", "etc"]) mkdirSync(join(dir, folder));
  sources = {
    credentialsDirectory: join(dir, "unit"),
    credentialsDir: join(dir, "etc"),
    keys: { deepseek: "from the environment" },
  };
});
afterEach(() => {
  rmSync(dir, { recursive: true });
});

const put = (path: string, secret: string) => writeFileSync(join(dir, path), secret);

describe("a credential comes from the first place that has one", () => {
  it("the unit's own, then the folder that the unit loads, then the folder itself, then the environment", () => {
    expect(readCredential("deepseek", sources)).toBe("from the environment");
    put("etc/deepseek", "from the folder\n");
    expect(readCredential("deepseek", sources)).toBe("from the folder");
    put("unit/aaos_deepseek", "from the folder, by systemd\n");
    expect(readCredential("deepseek", sources)).toBe("from the folder, by systemd");
    put("unit/deepseek", "from the unit\n");
    expect(readCredential("deepseek", sources)).toBe("from the unit");
  });

  it("a blank one counts as none", () => {
    put("unit/deepseek", " \n");
    put("etc/deepseek", "from the folder");
    expect(readCredential("deepseek", sources)).toBe("from the folder");
  });

  it("a name that leads out of the folder names nothing", () => {
    put("secret", "outside");
    expect(readCredential("../secret", sources)).toBeUndefined();
  });
});

import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { AgentdError } from "../protocol/agentd-error.js";
import { readPolicy, readProviders, readSettings } from "./settings.js";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "aaos-settings-"));
});
afterEach(() => {
  rmSync(dir, { recursive: true });
});

function put(text: string | Uint8Array): string {
  const file = join(dir, "f.yaml");
  writeFileSync(file, text);
  return file;
}

function refused(read: (file: string) => unknown, text: string | Uint8Array): string {
  const file = put(text);
  try {
    read(file);
  } catch (thrown) {
    if (!(thrown instanceof AgentdError)) throw thrown;
    expect(thrown.code).toBe("invalid_file");
    return thrown.message.replaceAll(file, "f.yaml");
  }
  throw new Error("taken");
}

describe("the examples that ship", () => {
  const example = (name: string) =>
    fileURLToPath(new URL(`../../packaging/examples/${name}`, import.meta.url));

  it("agentd.yaml and policy.yaml say what holds without them", () => {
    expect(readSettings(example("agentd.yaml"))).toEqual(readSettings(put("")));
    expect(readPolicy(example("policy.yaml"))).toEqual(readPolicy(put("")));
  });
  it("providers.yaml is taken as it stands", () => {
    expect(readProviders(example("providers.yaml")).default).toBe("deepseek");
  });
});

describe("an absent or empty file gives the defaults", () => {
  it.each([readSettings, readProviders, readPolicy])("%o", (read) => {
    expect(read(join(dir, "absent.yaml"))).toEqual(read(put("")));
  });
  it("which are those of the contract", () => {
    expect(readPolicy(put(""))).toMatchObject({
      read: { allow: ["/data", "/src", "/usr/share/aaos"] },
      network: { allow: ["*"] },
    });
    expect(readPolicy(put("write: {allow: [/srv]}"))).toMatchObject({
      write: { allow: ["/srv"], deny: [] },
      read: { deny: [] },
    });
  });
});

describe("a broken file throws every problem", () => {
  it("of its shape", () => {
    expect(refused(readSettings, "log_level: loud\nmodel_slots: 0\n").split("\n")).toHaveLength(2);
  });

  it("that is no text, no file, or unreadable", () => {
    expect(refused(readSettings, Uint8Array.of(0xff, 0xfe, 0x00))).toContain("no UTF-8 text");
    expect(() => readSettings(dir)).toThrowError(/no regular file/);
    if (process.getuid?.() !== 0) {
      const file = put("");
      chmodSync(file, 0);
      expect(() => readSettings(file)).toThrowError(/cannot be read/);
    }
  });

  it("policy.yaml: a path that climbs, a host that is none, a program with arguments", () => {
    expect(
      refused(
        readPolicy,
        "read:\n  allow: [/data, /a/../b]\nnetwork:\n  allow:\n    - a.org\n    - a b\nexec: {allow: [git status, 'rm -rf']}\n",
      ).split("\n"),
    ).toEqual([
      "f.yaml:2: read.allow[1]: '/a/../b' has a '..' segment",
      "f.yaml:6: network.allow[1]: 'a b' is no host name or address",
      "f.yaml:7: exec.allow[0]: 'git status': name one program, without subcommands",
      "f.yaml:7: exec.allow[1]: exec: '-rf' is no subcommand; write 'exec: git status|diff'",
    ]);
    expect(
      readPolicy(put("network: {allow: ['*', 10.0.0.0/8, 'localhost:8080', '[::1]']}")).network
        .allow,
    ).toHaveLength(4);
  });

  it("providers.yaml: a name that leads nowhere", () => {
    const text =
      "default: depseek\nproviders:\n  deepseek: {api: openai}\nmodels:\n  flash: {provider: other}\naliases: {fast: flsh, strong: fast}\n";
    expect(refused(readProviders, text).split("\n")).toEqual([
      "f.yaml:1: default: names the provider 'depseek', which is not there (did you mean deepseek?)",
      "f.yaml:5: models.flash.provider: names the provider 'other', which is not there (known are deepseek, builtin)",
      "f.yaml:6: aliases.strong: leads to the alias 'fast' (name a model)",
    ]);
  });

  it("the contract's providers.yaml is taken, an unknown model too where a default takes it", () => {
    const text = `default: deepseek
providers:
  deepseek:  {api: openai, base_url: "https://api.deepseek.com/v1", credential: deepseek}
  anthropic: {api: anthropic, credential: anthropic}
  local:     {api: openai, base_url: "http://127.0.0.1:8080/v1"}
models:
  deepseek-flash: {provider: deepseek, context: 1000000, max_output: 8192, usd_per_mtok: {input: 0.0, output: 0.0}}
aliases: {planner: deepseek-flash, fast: deepseek-flash, strong: something-newer}
`;
    expect(readProviders(put(text)).aliases["strong"]).toBe("something-newer");
    expect(refused(readProviders, text.replace("default: deepseek", ""))).toContain(
      "aliases.strong: names 'something-newer'",
    );
  });
});

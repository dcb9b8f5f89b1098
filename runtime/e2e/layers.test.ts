import { execFile } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const REPO = fileURLToPath(new URL("../../", import.meta.url));

/** A file of one line, the rule that must refuse it, or null where the table allows it. */
const FILES: readonly (readonly [file: string, imports: string, rule: string | null])[] = [
  ["base/a.ts", "../protocol/leaf.js", "layer-base"],
  ["protocol/a.ts", "../policy/leaf.js", "layer-protocol"],
  ["policy/a.ts", "../store/leaf.js", "layer-policy"],
  ["store/a.ts", "../audit/leaf.js", "layer-store"],
  ["audit/a.ts", "../runs/leaf.js", "layer-audit"],
  ["providers/a.ts", "../policy/leaf.js", "layer-providers"],
  ["tools/a.ts", "../sandbox/leaf.js", "layer-tools"],
  ["sandbox/a.ts", "../policy/leaf.js", "layer-sandbox"],
  ["catalog/a.ts", "../store/leaf.js", "layer-catalog"],
  ["agent/a.ts", "../providers/leaf.js", "layer-agent"],
  ["agent/b.ts", "../tools/leaf.js", "layer-agent"],
  ["agent/c.ts", "../sandbox/leaf.js", "layer-agent"],
  ["runs/a.ts", "../control/leaf.js", "layer-runs"],
  ["control/a.ts", "../sandbox/leaf.js", "layer-control"],
  ["cli/a.ts", "../control/leaf.js", "layer-cli"],
  ["policy/b.ts", "../test/leaf.js", "fixtures-only-in-tests"],
  ["policy/c.ts", "../e2e/leaf.js", "fixtures-only-in-tests"],
  ["policy/d.ts", "./leaf.test.js", "tests-not-imported"],
  ["daemon.ts", "./agentd.js", "no-import-of-mains"],
  ["runs/b.ts", "better-sqlite3", "home-better-sqlite3"],
  ["policy/e.ts", "yaml", "home-yaml"],
  ["base/ring-1.ts", "./ring-2.js", "no-circular"],
  ["protocol/ok.ts", "../base/leaf.js", null],
  ["policy/ok.ts", "../protocol/leaf.js", null],
  ["audit/ok.ts", "../store/leaf.js", null],
  ["runs/ok.ts", "../sandbox/leaf.js", null],
  ["control/ok.ts", "../runs/leaf.js", null],
  ["cli/ok.ts", "../catalog/leaf.js", null],
  ["policy/ok.test.ts", "../test/leaf.js", null],
  ["store/ok.ts", "better-sqlite3", null],
  ["catalog/ok.ts", "yaml", null],
];

interface Violation {
  readonly from: string;
  readonly rule: { readonly name: string; readonly severity: string };
}

let tree: string;
let exitCode: number;
let violations: readonly Violation[];

beforeAll(async () => {
  tree = mkdtempSync(join(tmpdir(), "aaos-layers-"));
  for (const file of ["tsconfig.json", ".dependency-cruiser.cjs", "package.json"])
    cpSync(join(REPO, file), join(tree, file));
  symlinkSync(join(REPO, "node_modules"), join(tree, "node_modules"));
  const rooms = new Set(FILES.flatMap(([file, to]) => [dirname(file), dirname(to).slice(3)]));
  for (const room of rooms) put(join(room, "leaf.ts"), "export const leaf = 1;\n");
  put("policy/leaf.test.ts", "export const leaf = 1;\n");
  put("agentd.ts", "export const main = 1;\n");
  put("base/ring-2.ts", 'import * as it from "./ring-1.js";\nexport const a = it;\n');
  for (const [file, to] of FILES) put(file, `import * as it from "${to}";\nexport const a = it;\n`);
  // The report for programs always ends with 0, so the one that the check runs is asked, too.
  const report = await cruise("--output-type", "json");
  violations = (JSON.parse(report.stdout) as { summary: { violations: Violation[] } }).summary
    .violations;
  exitCode = (await cruise()).code;
}, 60_000);

afterAll(() => rmSync(tree, { recursive: true, force: true }));

function cruise(...args: readonly string[]): Promise<{ code: number; stdout: string }> {
  const bin = join(REPO, "node_modules/.bin/depcruise");
  const all = ["--config", ".dependency-cruiser.cjs", ...args, "runtime"];
  return new Promise((done) => {
    execFile(bin, all, { cwd: tree, maxBuffer: 1 << 26 }, (error, stdout) =>
      done({ code: error === null ? 0 : 1, stdout }),
    );
  });
}

function put(file: string, content: string): void {
  const path = join(tree, "runtime", file);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
}

describe("the table of layers is a gate", () => {
  it.each(FILES.filter(([, , rule]) => rule !== null))(
    "runtime/%s importing %s breaks %s",
    (file, _to, rule) => {
      const broken = violations.filter(({ from }) => from === `runtime/${file}`);
      expect(broken.map((violation) => violation.rule.name)).toContain(rule);
      expect(broken.every((violation) => violation.rule.severity === "error")).toBe(true);
    },
  );

  it.each(FILES.filter(([, , rule]) => rule === null))("runtime/%s may import %s", (file) => {
    const broken = violations.filter(
      ({ from, rule }) => from === `runtime/${file}` && rule.name !== "no-orphans",
    );
    expect(broken).toEqual([]);
  });

  it("and its exit code fails the check", () => {
    expect(exitCode).toBe(1);
  });
});

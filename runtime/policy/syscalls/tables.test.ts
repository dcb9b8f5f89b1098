import { existsSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { SECCOMP_ARCHES, SeccompPlan } from "../../protocol/confinement.js";
import { FILES_RULES } from "./files.js";
import { SYSCALL_NUMBERS } from "./numbers.js";
import { programRules, webRules } from "./program.js";
import { REFUSED } from "./refused.js";
import { seccompPlan } from "./rules.js";

const HEADER = "/usr/include/x86_64-linux-gnu/asm/unistd_64.h";
const TABLES = {
  files: FILES_RULES,
  program: programRules({ network: false }),
  networked: programRules({ network: true }),
  web: webRules(),
};

const MADE_NARROWER: ReadonlySet<string> = new Set(["setresuid", "setresgid"]);

describe("the system call tables", () => {
  it.skipIf(!existsSync(HEADER))("have the numbers of this machine's header", () => {
    const text = readFileSync(HEADER, "utf8");
    for (const [, name = "", number] of text.matchAll(/#define __NR_(\w+) (\d+)/g))
      expect(SYSCALL_NUMBERS.get(name)?.x86_64, name).toBe(Number(number));
  });

  it.each(Object.entries(TABLES))("%s: is a plan on both architectures", (_, rules) => {
    for (const arch of SECCOMP_ARCHES) {
      const plan = seccompPlan(rules, arch);
      expect(SeccompPlan.safeParse(plan).success).toBe(true);
      for (const needed of ["execve", "exit_group", "read", "write", "rt_sigreturn"])
        expect(plan.rules.some(({ name }) => name === needed)).toBe(true);
    }
  });

  it.each(Object.entries(TABLES))("%s: no rule is shadowed by an earlier one", (_, rules) => {
    const decided = new Set<string>();
    for (const { name, checks } of rules) {
      expect(decided.has(name), name).toBe(false);
      if (checks.length === 0) decided.add(name);
    }
  });

  it.each(Object.entries(TABLES))("%s: refuses what no process needs", (_, rules) => {
    for (const { name, action } of REFUSED) {
      const [first, second] = rules.filter((rule) => rule.name === name);
      // GNU make's posix_spawn sets only the effective id: that one form is let through, by its checks, before the refusal.
      const narrowed = MADE_NARROWER.has(name) && first?.action === "allow";
      if (narrowed) expect(first.checks.length, name).toBeGreaterThan(0);
      expect((narrowed ? second : first)?.action, name).toBe(action);
      expect(action).not.toBe("allow");
    }
  });

  it("a name that no architecture has is a mistake", () => {
    expect(() => seccompPlan([{ name: "opne", action: "allow", checks: [] }], "x86_64")).toThrow(
      RangeError,
    );
  });
});

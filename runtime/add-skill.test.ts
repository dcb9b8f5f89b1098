import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { addSkill } from "./add-skill.js";

let dir: string;
beforeEach(() => {
  dir = join(mkdtempSync(join(tmpdir(), "aaos-skill-")), "skills");
});
afterEach(() => rmSync(join(dir, ".."), { recursive: true, force: true }));

function add(name: string, body: string) {
  const text = `---\nname: ${name}\ndescription: How to.\n---\n${body}\n`;
  const file = { path: "SKILL.md", content: Buffer.from(text).toString("base64") };
  return addSkill({ name, files: [file] }, dir);
}
const body = (name: string) =>
  readFileSync(join(dir, name, "SKILL.md"), "utf8")
    .split("\n")
    .at(-2);

test("a skill takes the place of the older one of its name, and nothing else is left", () => {
  expect(add("notes", "old")).toMatchObject({ name: "notes", dir: join(dir, "notes") });
  expect(() => add("Not a name", "x")).toThrow();
  expect(add("notes", "new")).toMatchObject({ name: "notes" });
  expect(body("notes")).toBe("new");
  expect(readdirSync(dir)).toEqual(["notes"]);
});

test("where a power cut came between an older skill and its newer one, the older one is back with the next that is added", () => {
  add("notes", "old");
  renameSync(join(dir, "notes"), join(dir, ".notes.old"));
  mkdirSync(join(dir, ".staging/notes"), { recursive: true });
  add("other", "x");
  expect(readdirSync(dir).sort()).toEqual(["notes", "other"]);
  expect(body("notes")).toBe("old");
});

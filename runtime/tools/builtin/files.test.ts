import { mkdir, readdir, readFile, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Json } from "../../protocol/json.js";
import { openTestPlace, type TestPlace } from "../../test/tool-context.js";
import { BUILTIN_TOOLS } from "../registry.js";

/** The output of a call, or its error. */
async function call(place: TestPlace, name: string, input: Json): Promise<Record<string, Json>> {
  const tool = BUILTIN_TOOLS.find((candidate) => candidate.name === name);
  if (!tool) throw new Error(`no tool ${name}`);
  const result = await tool.run(input, place.context);
  return (result.ok ? result.output : { ...result.error }) as Record<string, Json>;
}

describe("input", () => {
  it.each([
    ["file_read", {}, "path"],
    ["file_read", { path: "relative.txt" }, "path: must be an absolute path"],
    ["file_read", { path: "/a\0b" }, "path: must not hold a NUL"],
    ["file_read", { path: "/a", limt: 3 }, "limt"],
    ["file_read", { path: "/a", offset: 0 }, "offset"],
    ["file_read_many", { paths: Array.from({ length: 17 }, () => "/a") }, "paths"],
    ["file_read_many", { paths: ["/a", "b"] }, "paths.1"],
    ["file_write", { path: "/a" }, "content"],
    ["file_edit", { path: "/a", old_string: "", new_string: "x" }, "old_string"],
    [
      "file_edit",
      { path: "/a", old_string: "x".repeat(65_537), new_string: "x" },
      "old_string: is longer",
    ],
    ["echo", { message: 1 }, "message"],
  ] as const)(
    "%s %j is refused, naming the field, before anything is asked for",
    async (tool, input, names) => {
      await using place = await openTestPlace();
      const error = await call(place, tool, input as unknown as Json);
      expect(error["kind"]).toBe("invalid_input");
      expect(error["message"]).toContain(names);
      expect(place.asked).toEqual([]);
    },
  );

  it("echo gives the message back", async () => {
    await using place = await openTestPlace();
    expect(await call(place, "echo", { message: "hi" })).toEqual({ message: "hi" });
  });
});

describe("file_read", () => {
  it("numbers lines, and gives the keys it always gives", async () => {
    await using place = await openTestPlace();
    await writeFile(join(place.dir, "f"), "one\ntwo\r\n\nfour");
    expect(await call(place, "file_read", { path: join(place.dir, "f") })).toEqual({
      content: "     1\tone\n     2\ttwo\n     3\t\n     4\tfour",
      size_bytes: 14,
      total_lines: 4,
      offset: 1,
      returned_lines: 4,
      truncated: false,
    });
  });

  it("says how to go on, and going on gives the rest", async () => {
    await using place = await openTestPlace();
    const path = join(place.dir, "f");
    await writeFile(path, Array.from({ length: 5_000 }, (_, i) => `line ${i + 1}\n`).join(""));
    const first = await call(place, "file_read", { path });
    expect(first).toMatchObject({ returned_lines: 2_000, total_lines: 5_000, truncated: true });
    expect(first["hint"]).toBe("go on with offset 2001 of 5000 lines");
    const last = await call(place, "file_read", { path, offset: 4_999, limit: 10 });
    expect(last).toMatchObject({ returned_lines: 2, truncated: false, offset: 4_999 });
    expect(last["content"]).toBe("  4999\tline 4999\n  5000\tline 5000");
    const past = await call(place, "file_read", { path, offset: 6_000 });
    expect(past).toMatchObject({ content: "", returned_lines: 0 });
    expect(past["hint"]).toContain("5000 lines");
  });

  it("reads any part of a file over 1 MiB, at most 1 MiB at once", async () => {
    await using place = await openTestPlace();
    const path = join(place.dir, "big");
    const line = `${"é".repeat(499)}\n`;
    await writeFile(path, line.repeat(3_000));
    const part = await call(place, "file_read", { path, offset: 2_000, limit: 2 });
    expect(part).toMatchObject({ total_lines: 3_000, returned_lines: 2, truncated: true });
    expect(part["content"]).not.toContain("\ufffd");
    const whole = await call(place, "file_read", { path, limit: 3_000 });
    expect(Buffer.byteLength(whole["content"] as string)).toBeLessThan(1_048_576 + 12_000);
    expect(whole["truncated"]).toBe(true);
  });

  it("an empty file has no lines; a binary one is refused with a reason", async () => {
    await using place = await openTestPlace();
    await writeFile(join(place.dir, "empty"), "");
    expect(await call(place, "file_read", { path: join(place.dir, "empty") })).toMatchObject({
      content: "",
      total_lines: 0,
      truncated: false,
    });
    await writeFile(join(place.dir, "bin"), Buffer.from([0x7f, 0x45, 0, 1]));
    const binary = await call(place, "file_read", { path: join(place.dir, "bin") });
    expect(binary).toMatchObject({ kind: "failed" });
    expect(binary["message"]).toContain("binary file of 4 bytes");
  });

  it("asks for the resolved path, and a refusal tells the capability", async () => {
    await using place = await openTestPlace({
      refuses: (access) => "path" in access && access.path.includes("secret"),
    });
    await mkdir(join(place.dir, "secret"));
    await writeFile(join(place.dir, "secret/f"), "s");
    await symlink(join(place.dir, "secret"), join(place.dir, "link"));
    const denied = await call(place, "file_read", { path: join(place.dir, "link/f") });
    expect(denied).toMatchObject({
      kind: "denied",
      layer: "token",
      capability: `file_read: ${place.dir}/secret/f`,
    });
    await writeFile(join(place.dir, "open"), "o");
    expect(await call(place, "file_read", { path: join(place.dir, "open") })).toMatchObject({
      total_lines: 1,
    });
  });
});

it("file_read_many gives an entry for every file, with an error where there is none", async () => {
  await using place = await openTestPlace({
    refuses: (access) => "path" in access && access.path.endsWith("denied"),
  });
  await writeFile(join(place.dir, "a"), "A\n");
  await writeFile(join(place.dir, "denied"), "D\n");
  const paths = ["a", "none", "denied"].map((name) => join(place.dir, name));
  const { files, count } = await call(place, "file_read_many", { paths });
  expect(count).toBe(3);
  expect(files).toMatchObject([
    { path: paths[0], content: "     1\tA", total_lines: 1 },
    { path: paths[1], error: { kind: "not_found" } },
    { path: paths[2], error: { kind: "denied", capability: `file_read: ${paths[2]}` } },
  ]);
  expect(JSON.stringify(files)).not.toContain("\tD");
});

describe("file_list", () => {
  it("tells path, kind and entries", async () => {
    await using place = await openTestPlace();
    await writeFile(join(place.dir, "f"), "12");
    await mkdir(join(place.dir, "d"));
    expect(await call(place, "file_list", { path: place.dir })).toMatchObject({
      path: place.dir,
      kind: "dir",
      entries: [
        { name: "d", kind: "dir" },
        { name: "f", kind: "file", size_bytes: 2 },
      ],
      truncated: false,
    });
    expect(await call(place, "file_list", { path: join(place.dir, "f") })).toMatchObject({
      kind: "file",
      entries: [{ name: "f", kind: "file", size_bytes: 2 }],
    });
    expect(await call(place, "file_list", { path: join(place.dir, "x") })).toMatchObject({
      kind: "not_found",
    });
  });

  it("gives at most 500 entries and says that there are more", async () => {
    await using place = await openTestPlace();
    await Promise.all(
      Array.from({ length: 501 }, (_, i) => writeFile(join(place.dir, `f${i}`), "")),
    );
    const listed = await call(place, "file_list", { path: place.dir });
    expect(listed["truncated"]).toBe(true);
    expect(listed["entries"]).toHaveLength(500);
  });
});

describe("file_write", () => {
  it("writes, makes directories, appends, and tells the bytes", async () => {
    await using place = await openTestPlace();
    const path = join(place.dir, "x/y.txt");
    expect(await call(place, "file_write", { path, content: "é" })).toEqual({ bytes_written: 2 });
    expect(await call(place, "file_write", { path, content: "b", append: true })).toEqual({
      bytes_written: 1,
    });
    expect(await readFile(path, "utf8")).toBe("éb");
    expect(await call(place, "file_write", { path, content: "" })).toEqual({ bytes_written: 0 });
    expect(await readFile(path, "utf8")).toBe("");
  });

  it("takes 1 MiB and not a byte more", async () => {
    await using place = await openTestPlace();
    const path = join(place.dir, "f");
    const content = "x".repeat(1_048_576);
    expect(await call(place, "file_write", { path, content })).toEqual({
      bytes_written: 1_048_576,
    });
    const over = await call(place, "file_write", { path, content: `${content}x` });
    expect(over).toMatchObject({ kind: "too_large" });
  });

  it("A24-13 a denied write changes nothing on disk: no truncation, no file, no directory", async () => {
    await using place = await openTestPlace({ refuses: (access) => access.kind === "file_write" });
    const path = join(place.dir, "kept");
    await writeFile(path, "kept");
    for (const append of [true, false]) {
      expect(await call(place, "file_write", { path, content: "x", append })).toMatchObject({
        kind: "denied",
        capability: `file_write: ${path}`,
      });
      const deep = join(place.dir, "new/dir/f");
      expect(await call(place, "file_write", { path: deep, content: "x", append })).toMatchObject({
        kind: "denied",
      });
    }
    const edit = { path, old_string: "kept", new_string: "gone" };
    expect(await call(place, "file_edit", edit)).toMatchObject({ kind: "denied" });
    expect(await readFile(path, "utf8")).toBe("kept");
    expect(await readdir(place.dir)).toEqual(["kept"]);
  });
});

describe("file_edit", () => {
  async function edit(text: string, input: Record<string, Json>) {
    await using place = await openTestPlace();
    const path = join(place.dir, "f");
    await writeFile(path, text);
    const output = await call(place, "file_edit", { path, ...input });
    return { output, path, after: await readFile(path, "utf8") };
  }

  it("replaces what occurs once and tells what it did", async () => {
    const { output, path, after } = await edit("one two", {
      old_string: "two",
      new_string: "$& three",
    });
    expect(after).toBe("one $& three");
    expect(output).toEqual({ path, replacements: 1, bytes_before: 7, bytes_after: 12 });
  });

  it("what is not unique needs replace_all", async () => {
    const input = { old_string: "a", new_string: "b" };
    const refused = await edit("a a a", input);
    expect(refused.output).toMatchObject({ kind: "invalid_input" });
    expect(refused.output["message"]).toContain("occurs 3 times");
    expect(refused.after).toBe("a a a");
    const all = await edit("a a a", { ...input, replace_all: true });
    expect(all.output).toMatchObject({ replacements: 3 });
    expect(all.after).toBe("b b b");
  });

  it("text that does not occur, or equals its replacement, changes nothing", async () => {
    const absent = await edit("a\r\nb", { old_string: "a\nb", new_string: "x" });
    expect(absent.output).toMatchObject({ kind: "not_found" });
    expect(absent.output["message"]).toContain("CR LF");
    const same = await edit("a", { old_string: "a", new_string: "a" });
    expect(same.output).toMatchObject({ kind: "invalid_input" });
  });

  it("A24-13 a missing file is not_found and nothing is made", async () => {
    await using place = await openTestPlace();
    const path = join(place.dir, "x/none");
    const edited = await call(place, "file_edit", { path, old_string: "a", new_string: "b" });
    expect(edited).toMatchObject({ kind: "not_found" });
    expect(await readdir(place.dir)).toEqual([]);
  });

  it("needs both grants, and asks for both before it touches anything", async () => {
    for (const kind of ["file_read", "file_write"] as const) {
      await using place = await openTestPlace({ refuses: (access) => access.kind === kind });
      const path = join(place.dir, "f");
      await writeFile(path, "a");
      expect(
        await call(place, "file_edit", { path, old_string: "a", new_string: "b" }),
      ).toMatchObject({
        kind: "denied",
        capability: `${kind}: ${path}`,
      });
      expect(await readFile(path, "utf8")).toBe("a");
    }
  });

  it("bytes that are no text, and files over 1 MiB, are left alone", async () => {
    await using place = await openTestPlace();
    const path = join(place.dir, "f");
    await writeFile(path, Buffer.from([0x61, 0xff, 0x62]));
    const input = { path, old_string: "a", new_string: "b" };
    expect(await call(place, "file_edit", input)).toMatchObject({ kind: "failed" });
    expect(await readFile(path)).toEqual(Buffer.from([0x61, 0xff, 0x62]));
    await writeFile(path, "a".repeat(1_048_577));
    expect(await call(place, "file_edit", input)).toMatchObject({ kind: "too_large" });
  });
});

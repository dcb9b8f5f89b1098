import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { seal, unseal } from "./seal.js";

const PASSPHRASE = "correct horse battery";
const all = async (source: AsyncIterable<Buffer>) => {
  const parts: Buffer[] = [];
  for await (const part of source) parts.push(part);
  return Buffer.concat(parts);
};
/** In pieces of odd sizes, as a socket gives them. */
async function* pieces(bytes: Buffer, size = 10_007) {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}
const sealed = (plain: Buffer) => all(seal(PASSPHRASE, pieces(plain)));
const opened = (bytes: Buffer, passphrase = PASSPHRASE) => all(unseal(passphrase, pieces(bytes)));

test.each([0, 1, 65_535, 65_536, 65_537, 200_000])(
  "%d bytes come back as they were",
  async (size) => {
    const plain = randomBytes(size);
    const bytes = await sealed(plain);
    expect((await opened(bytes)).equals(plain)).toBe(true);
    if (size > 100) expect(bytes.includes(plain.subarray(0, 32))).toBe(false);
  },
);

test("the same content sealed twice has no chunk in common", async () => {
  const plain = Buffer.alloc(1000);
  const [a, b] = [await sealed(plain), await sealed(plain)];
  expect(a.subarray(-500).equals(b.subarray(-500))).toBe(false);
});

test("another passphrase is refused", async () => {
  await expect(
    opened(await sealed(randomBytes(100)), "correct horse batterz"),
  ).rejects.toMatchObject({
    code: "invalid_file",
    message: /passphrase is another one/,
  });
});

test("a changed bit, a chunk that is left out, moved or cut off, are refused wherever they are", async () => {
  const bytes = await sealed(randomBytes(200_000));
  const begin = bytes.indexOf("\n", bytes.indexOf("\n") + 1) + 1;
  const chunk = 4 + 65_536 + 16;
  for (const at of [begin - 10, begin + 2, begin + 100, begin + chunk + 50, bytes.length - 1]) {
    const changed = Buffer.from(bytes);
    changed[at] = (changed[at] ?? 0) ^ 1;
    await expect(opened(changed)).rejects.toMatchObject({ code: "invalid_file" });
  }
  const head = bytes.subarray(0, begin);
  const [one, two, rest] = [0, 1, 2].map((n) =>
    bytes.subarray(begin + n * chunk, n === 2 ? undefined : begin + (n + 1) * chunk),
  ) as [Buffer, Buffer, Buffer];
  for (const parts of [
    [one, rest],
    [two, one, rest],
    [one, two],
    [one, two, rest.subarray(0, -7)],
  ])
    await expect(opened(Buffer.concat([head, ...parts]))).rejects.toMatchObject({
      code: "invalid_file",
    });
});

test("what is no backup, and a header that asks for more memory than a machine has, are refused", async () => {
  await expect(opened(Buffer.from("PK"))).rejects.toMatchObject({ message: /no backup of aaOS/ });
  const bytes = (await sealed(Buffer.from("x"))).toString("latin1").replace(":65536", ":1048576");
  await expect(opened(Buffer.from(bytes, "latin1"))).rejects.toMatchObject({
    message: /first lines are damaged/,
  });
});

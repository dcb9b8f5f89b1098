import { expect, test } from "vitest";
import { onlyBundle } from "./bundle-from-usb.js";

test("the bundle on a stick is the one that is named, or the only one; a name leads nowhere else", () => {
  const names = ["a.raucb", "b.raucb", "notes.txt"];
  expect(onlyBundle(names, "b.raucb")).toBe("b.raucb");
  expect(onlyBundle(names.slice(1), "*")).toBe("b.raucb");
  expect(onlyBundle(names, "../../etc/a.raucb")).toBe("a.raucb");
  expect(() => onlyBundle(names, "*")).toThrow(/more than one/);
  expect(() => onlyBundle(names, "notes.txt")).toThrow(/no bundle notes.txt/);
  expect(() => onlyBundle([], "*")).toThrow(/no bundle/);
});

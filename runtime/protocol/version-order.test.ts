import { expect, test } from "vitest";
import { compareVersions } from "./version-order.js";

test("versions are ordered as Debian orders them", () => {
  const ascending = [
    "0.9.0",
    "1.0.0~rc1",
    "1.0.0",
    "1.0.0a",
    "1.0.0+dfsg",
    "1.0.1",
    "1.2",
    "1.10.0",
    "2",
  ];
  for (const [at, older] of ascending.entries())
    for (const newer of ascending.slice(at + 1)) {
      expect(compareVersions(older, newer), `${older} < ${newer}`).toBeLessThan(0);
      expect(compareVersions(newer, older), `${newer} > ${older}`).toBeGreaterThan(0);
    }
  for (const version of ascending) expect(compareVersions(version, version)).toBe(0);
});

import { expect, test } from "vitest";
import type { Bundle } from "./bundle.js";
import { type Situation, whyNot } from "./may-install.js";

const bundle: Bundle = {
  ...{ file: "x", compatible: "aaos-amd64", version: "1.2.0", sha256: "", sizeBytes: 300 },
};
const now: Situation = {
  ...{ compatible: "aaos-amd64", version: "1.1.0", confirmed: true, slotBytes: 1000 },
  ...{ failed: undefined, allowDowngrade: false, automatic: false },
};
const failed = { ok: false, version: "1.2.0", reason: "agentd has failed", time: "" };

test("a newer bundle for this machine may be installed", () => {
  expect(whyNot(bundle, now)).toBeUndefined();
});

test("each refusal says why", () => {
  const cases: readonly [Partial<Bundle>, Partial<Situation>, RegExp][] = [
    [{ compatible: "other" }, {}, /is for "other"/],
    [{}, { confirmed: false }, /not been proven/],
    [{ version: "1.0.9" }, {}, /1\.0\.9 is older than 1\.1\.0/],
    [{ version: "1.1.0" }, {}, /runs already/],
    [{ sizeBytes: 1001 }, {}, /1001 bytes/],
    [{}, { automatic: true, failed }, /was left here: agentd has failed/],
  ];
  for (const [other, situation, why] of cases)
    expect(whyNot({ ...bundle, ...other }, { ...now, ...situation })?.why).toMatch(why);
});

test("an operator may go back, and may try again what failed; another kind of machine they may not", () => {
  const allowed = { ...now, allowDowngrade: true };
  expect(whyNot({ ...bundle, version: "1.0.0" }, allowed)).toBeUndefined();
  expect(whyNot({ ...bundle, version: "1.1.0" }, allowed)).toBeUndefined();
  expect(whyNot(bundle, { ...now, failed })).toBeUndefined();
  expect(whyNot({ ...bundle, compatible: "x" }, allowed)).toBeDefined();
});

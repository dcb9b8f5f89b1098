import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  type BootChange,
  type BootState,
  changeBoot,
  chosenSlot,
  INITIAL_BOOT_STATE,
  leftSlot,
  parseBootState,
  renderBootState,
  type Slot,
} from "./slots.js";

const slot = fc.constantFrom<Slot>("A", "B");
const change: fc.Arbitrary<BootChange> = fc.oneof(
  slot.map((it): BootChange => ({ type: "writing", slot: it })),
  slot.map((it): BootChange => ({ type: "wanted", slot: it })),
  slot.map((it): BootChange => ({ type: "healthy", slot: it })),
  slot.map((it): BootChange => ({ type: "failed", slot: it })),
);
const changed = (changes: readonly BootChange[], from = INITIAL_BOOT_STATE): BootState =>
  changes.reduce(changeBoot, from);
/** The slots that a number of starts take, none of which comes up. */
const starts = (state: BootState, count: number): string => {
  let [left, taken] = [state, ""];
  for (let n = 0; n < count; n += 1) {
    const chosen = chosenSlot(left);
    taken += chosen.exhausted ? chosen.slot.toLowerCase() : chosen.slot;
    left = chosen.left;
  }
  return taken;
};
const running = changed([{ type: "healthy", slot: "A" }]);
const upgraded = changed(
  [
    { type: "writing", slot: "B" },
    { type: "wanted", slot: "B" },
  ],
  running,
);

describe("which slot is started", () => {
  test("an upgrade that never comes up gets three tries, then the proven slot runs", () => {
    expect(starts(upgraded, 5)).toBe("BBBAA");
  });
  test("a proven slot outlives three pulled plugs, and more", () => {
    expect(starts(changed([{ type: "healthy", slot: "B" }], upgraded), 5)).toBe("BBBBB");
  });
  test("when every try is used up, the counters start anew: never a prompt", () => {
    expect(starts(upgraded, 12)).toBe("BBBAAAAAAbBB");
  });
  test("a slot that is being written is never started", () => {
    expect(starts(changed([{ type: "writing", slot: "B" }], running), 8)).toBe("AAAAAAaA");
  });
  test("a slot that failed loses its place; a rollback gives it to the other", () => {
    const failed = changed([{ type: "failed", slot: "B" }], upgraded);
    expect(failed.order).toEqual(["A", "B"]);
    expect(starts(failed, 1)).toBe("A");
    const both = changed([{ type: "healthy", slot: "B" }], upgraded);
    const back = changed([{ type: "wanted", slot: "A" }], both);
    expect(starts(back, 1)).toBe("A");
    expect(back.slots.A.confirmed).toBe(true);
  });
  test("whatever happened before, a start finds a slot and uses up its one-shot argument", () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 12 }), fc.nat(20), (changes, count) => {
        let state = changed(changes);
        for (let n = 0; n <= count; n += 1) {
          const { slot: taken, left } = chosenSlot(state);
          expect(["A", "B"]).toContain(taken);
          state = left;
        }
      }),
    );
  });
});

describe("the environment block", () => {
  test("comes back as it was written, in 1024 bytes whose first 512 hold all of it", () => {
    fc.assert(
      fc.property(fc.array(change, { maxLength: 12 }), (changes) => {
        const state = changed(changes);
        const block = renderBootState(state);
        expect(block).toHaveLength(1024);
        expect(block.slice(512)).toBe("#".repeat(512));
        expect(parseBootState(block)).toEqual(state);
      }),
    );
  });
  test("what is torn, empty or says what cannot be is none", () => {
    const block = renderBootState(running);
    for (const bad of [
      "",
      block.slice(0, 512),
      block.replace("# GRUB", "# GRAB"),
      block.replace("A_TRY=0", "A_TRY=x"),
      block.replace("ORDER=A B", "ORDER=A A"),
      block.replace("B_OK=0\n", "#######"),
    ])
      expect(parseBootState(bad)).toBeUndefined();
  });
});

test("a slot that is left by the chooser is neither one that waits for its first start nor one that is gone back to", () => {
  expect(leftSlot(running, "A")).toBeUndefined();
  expect(leftSlot(upgraded, "A")).toBeUndefined();
  let tried = upgraded;
  for (let start = 0; start < 3; start += 1) tried = chosenSlot(tried).left;
  expect(leftSlot(tried, "A")).toBe("B");
  const back = changed(
    [
      { type: "healthy", slot: "B" },
      { type: "wanted", slot: "A" },
    ],
    upgraded,
  );
  expect(leftSlot(back, "B")).toBeUndefined();
});

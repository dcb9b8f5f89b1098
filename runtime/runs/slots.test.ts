import { describe, expect, it } from "vitest";
import { openSlots } from "./slots.js";

const never = new AbortController().signal;

describe("openSlots", () => {
  it("gives as many slots as there are and the next one when one is disposed of, in order", async () => {
    const slots = openSlots(1);
    const order: string[] = [];
    const first = await slots.take(never);
    const second = slots.take(never).then((slot) => {
      order.push("second");
      return slot;
    });
    const third = slots.take(never).then(() => order.push("third"));
    first[Symbol.dispose]();
    first[Symbol.dispose]();
    (await second)[Symbol.dispose]();
    await third;
    expect(order).toEqual(["second", "third"]);
  });

  it("lets a waiter leave without losing a slot", async () => {
    const slots = openSlots(1);
    const held = await slots.take(never);
    const leaving = new AbortController();
    const waiting = slots.take(leaving.signal);
    leaving.abort(new Error("gone"));
    await expect(waiting).rejects.toThrow("gone");
    held[Symbol.dispose]();
    await expect(slots.take(never)).resolves.toBeDefined();
  });
});

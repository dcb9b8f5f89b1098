import { setTimeout as sleep } from "node:timers/promises";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { openCallQueue } from "./call-queue.js";
import { callDeadline } from "./deadline.js";

const never = new AbortController().signal;

/** Asks for a slot under a name, and gives it back at once when it has it; `order` has the names as they were served. */
function asker(queue: ReturnType<typeof openCallQueue>) {
  const order: string[] = [];
  const ask = async (name: string, flow: string, deadline: number) => {
    const slot = await queue.take({ flow, deadline }, never);
    order.push(name);
    await sleep(0);
    slot[Symbol.dispose]();
  };
  return { order, ask };
}

describe("a provider's calls", () => {
  it("A10 are as many at a time as it has slots, the earliest deadline first, then first come", async () => {
    const queue = openCallQueue(1, () => 0);
    const { order, ask } = asker(queue);
    const held = await queue.take({ flow: "r", deadline: 0 }, never);
    const asked = [ask("late", "a", 50), ask("soon", "b", 10), ask("as soon", "c", 10)];
    expect(queue.state()).toMatchObject({ slots: 1, under_way: 1, waiting: 3 });
    held[Symbol.dispose]();
    held[Symbol.dispose]();
    await Promise.all(asked);
    expect(order).toEqual(["soon", "as soon", "late"]);
    expect(queue.state()).toMatchObject({ under_way: 0, waiting: 0 });
  });

  it("A10 are shared fairly between runs: a hundred of one do not keep out another's", async () => {
    const queue = openCallQueue(1, () => 0);
    const { order, ask } = asker(queue);
    const held = await queue.take({ flow: "big", deadline: 0 }, never);
    const crowd = Array.from({ length: 100 }, (_, n) => ask(`big ${n}`, "big", 0));
    const small = [ask("small 1", "small", 99), ask("small 2", "small", 99)];
    held[Symbol.dispose]();
    await Promise.all([...crowd, ...small]);
    expect(order.indexOf("small 1")).toBeLessThanOrEqual(1);
    expect(order.indexOf("small 2")).toBeLessThanOrEqual(3);
  });

  it("A10 nobody starves: a call waits at most for those whose deadline is earlier, and one turn of each run", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ flow: fc.integer({ min: 0, max: 4 }), hurry: fc.nat(100) }), {
          minLength: 2,
          maxLength: 60,
        }),
        async (calls) => {
          const queue = openCallQueue(1, () => 0);
          const served: number[] = [];
          const held = await queue.take({ flow: "first", deadline: 0 }, never);
          const asked = calls.map(async ({ flow, hurry }, index) => {
            const slot = await queue.take({ flow: `run ${flow}`, deadline: hurry }, never);
            served.push(index);
            slot[Symbol.dispose]();
          });
          held[Symbol.dispose]();
          await Promise.all(asked);
          expect(served).toHaveLength(calls.length);
          // Between two calls of one run no other run is served twice while it waits.
          const runs = new Set(calls.map(({ flow }) => flow)).size;
          const place = (index: number) => served.indexOf(index);
          for (const [index, { flow, hurry }] of calls.entries()) {
            const ahead = calls.filter(
              (other, at) =>
                other.flow === flow &&
                (other.hurry < hurry || (other.hurry === hurry && at < index)),
            ).length;
            expect(place(index)).toBeLessThanOrEqual((ahead + 1) * runs);
          }
        },
      ),
      { numRuns: 50 },
    );
  });

  it("A10 wait for a provider that has asked to be left alone, all of them", async () => {
    const clock = { now: 1_000 };
    const queue = openCallQueue(2, () => clock.now);
    queue.holdUntil(1_030);
    queue.holdUntil(1_010);
    expect(queue.state().held_until).toBe(1_030);
    let begun = 0;
    const asked = [1, 2].map(async () => {
      await queue.take({ flow: "r", deadline: 0 }, never);
      begun++;
    });
    await sleep(0);
    expect(begun).toBe(0);
    clock.now = 1_030;
    await Promise.all(asked);
    expect(begun).toBe(2);
    expect(queue.state().held_until).toBeNull();
  });

  it("lets a waiter leave without losing a slot", async () => {
    const queue = openCallQueue(1, () => 0);
    const held = await queue.take({ flow: "a", deadline: 0 }, never);
    const leaving = new AbortController();
    const waiting = queue.take({ flow: "b", deadline: 0 }, leaving.signal);
    leaving.abort(new Error("gone"));
    await expect(waiting).rejects.toThrow("gone");
    await expect(queue.take({ flow: "b", deadline: 0 }, leaving.signal)).rejects.toThrow("gone");
    held[Symbol.dispose]();
    await expect(queue.take({ flow: "c", deadline: 0 }, never)).resolves.toBeDefined();
  });
});

describe("a call's deadline", () => {
  it("is a minute away, sooner with a higher priority, and never after what it is made for has to end", () => {
    expect(callDeadline(1_000)).toBe(61_000);
    expect(callDeadline(1_000, 192)).toBe(31_000);
    expect(callDeadline(1_000, 64)).toBe(121_000);
    expect(callDeadline(1_000, 0, 5_000)).toBe(5_000);
  });
});

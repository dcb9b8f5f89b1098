// Power cuts, as many as asked for: `node image/test/disk-cuts.mjs upgrade 20` or `work 30`. The machine's disk has a cache that a cut
// empties (volatile-disk.mjs); QEMU is killed at a random moment. After each cut: the machine starts from a slot that was proven, or that
// proves itself now; the journal verifies; every goal that was acknowledged before is there, and one that had ended has ended as it had.
// The machine has one processor, so that two campaigns run side by side on two. Prints a line for each and the figures; exit code 1 on the
// first that does not hold. `--seed N` repeats one. docs/operations/upgrades.md has what came of it.
import { copyFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { bootDisk, bundleOf, ENDED, makeDisk, mediumOf, proofOf, slotsOf } from "./disk.mjs";
import { newerRoot, rootOf } from "./disk-roots.mjs";
import { command } from "./host.mjs";
import { VolatileDisk } from "./volatile-disk.mjs";

/** @typedef {import("./vm.mjs").Vm} Vm */
/** Runs that the machine acknowledged, and the state in which each was last seen. @typedef {Map<string, string>} Acknowledged */

const LONG = { timeoutMs: 900_000 };
/** A proven slot is trusted for two starts in a row; every third one is waited for until it has proved itself again. */
const PROOF_EACH = 3;
/** Goals under way at a cut: as many as the machine carries out between two. */
const GOALS = 3;

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { seed: { type: "string", default: `${Date.now() % 1_000_000}` } },
});
const [kind = "", count = "1"] = positionals;
if (kind !== "upgrade" && kind !== "work") {
  process.stderr.write("disk-cuts.mjs upgrade|work COUNT [--seed N]\n");
  process.exit(2);
}
const random = randomFrom(Number(values.seed));
const say = (/** @type {string} */ text) => process.stdout.write(`${text}\n`);

const dir = await mkdtemp(join(tmpdir(), "aaos-cuts-"));
try {
  await campaign(dir);
} finally {
  await rm(dir, { recursive: true, force: true });
}

/** @param {string} work */
async function campaign(work) {
  const root = await rootOf();
  const file = join(work, "disk.raw");
  await makeDisk(root, file);
  const bundles = join(work, "bundles");
  await command("mkdir", [bundles]);
  await copyFile(
    await bundleOf(await newerRoot(root, "90.0.0"), "newer"),
    join(bundles, "newer.raucb"),
  );
  const medium = join(work, "bundles.img");
  await mediumOf(bundles, medium);
  await rm(bundles, { recursive: true });
  const disk = new VolatileDisk(file, join(work, "disk.sock"));
  await disk.listen();
  const vm = await bootDisk(disk.url, { name: `cuts-${kind}`, cpus: 1 }, [medium]);
  try {
    say(`seed ${values.seed}; first proof: ${lastLine(await proofOf(vm))}`);
    /** @type {Acknowledged} */
    const acknowledged = new Map();
    const figures = { cuts: 0, lost: 0, kept: 0, acknowledged: 0, ended: 0, proofs: 0 };
    for (let cut = 1; cut <= Number(count); cut += 1) {
      const told =
        kind === "upgrade" ? await duringUpgrade(vm) : await duringWork(vm, acknowledged);
      const { lost, kept } = disk.cut(random);
      const began = performance.now();
      await vm.powerOn();
      await vm.must("until systemctl is-active --quiet agentd; do sleep 1; done", LONG);
      const seconds = Math.round((performance.now() - began) / 1000);
      const { proven, running } = await holds(vm, acknowledged, cut % PROOF_EACH === 0);
      figures.cuts += 1;
      figures.lost += lost;
      figures.kept += kept;
      figures.proofs += proven ? 1 : 0;
      figures.acknowledged = acknowledged.size;
      figures.ended = [...acknowledged.values()].filter((state) => ENDED.test(state)).length;
      const slot = `slot ${running}${proven ? ", which proved itself" : ""}`;
      say(`${cut}: ${told}; ${lost} blocks lost, ${kept} written; ${seconds} s to agentd; ${slot}`);
    }
    say(JSON.stringify({ kind, ...figures }));
  } finally {
    await vm.close();
    disk.close();
  }
}

/** Cut at a moment of the whole upgrade, the start of the new slot included. @param {Vm} vm */
async function duringUpgrade(vm) {
  await vm.must(
    "mkdir -p /run/b; mountpoint -q /run/b || mount -o ro /dev/disk/by-id/virtio-disk1 /run/b",
  );
  const going = vm.run(
    "agentd system upgrade --allow-downgrade /run/b/newer.raucb && systemctl reboot",
    LONG,
  );
  going.catch(() => {}); // the cut ends it
  const after = Math.round(1000 + random() * 150_000);
  await new Promise((resolve) => setTimeout(resolve, after));
  await vm.powerCut();
  return `${after} ms into an upgrade`;
}

/** Cut while goals are carried out. @param {Vm} vm @param {Acknowledged} acknowledged */
async function duringWork(vm, acknowledged) {
  const after = Math.round(2000 + random() * 60_000);
  const until = performance.now() + after;
  await vm.must(
    "seq 1 500 | sed 's/.*/Slot & holds a system. It is kept when it works./' >/data/in.txt; chmod 644 /data/in.txt",
  );
  const going = [...acknowledged.values()].filter((state) => !ENDED.test(state)).length;
  let submitted = 0;
  const work = (async () => {
    while (going + submitted < GOALS) {
      const goal = `Read /data/in.txt and write a summary to /output/${Date.now()}.md`;
      const { status, stdout } = await vm.run(`agentd submit --detach '${goal}'`, LONG);
      if (status !== 0) continue;
      acknowledged.set(stdout.trim(), "acknowledged");
      submitted += 1;
    }
  })();
  work.catch(() => {}); // the cut ends it
  await new Promise((resolve) => setTimeout(resolve, Math.max(0, until - performance.now())));
  await vm.powerCut();
  return `${after} ms into work, ${submitted} goals acknowledged beside ${going} under way`;
}

/** @param {Vm} vm @param {Acknowledged} acknowledged @param {boolean} proof whether a proven slot has to prove itself again */
async function holds(vm, acknowledged, proof) {
  const { running, slots, degraded } = await slotsOf(vm);
  if (degraded !== null) throw new Error(`the data volume: ${degraded}`);
  const slot = slots.find((/** @type {any} */ it) => it.slot === running);
  const proven = proof || !slot.confirmed;
  if (proven) {
    const said = lastLine(await proofOf(vm));
    if (!/works and is kept/.test(said)) throw new Error(`the slot does not prove itself: ${said}`);
  }
  await vm.must("agentd audit verify", LONG);
  const { runs } = JSON.parse(await vm.must("agentd --json list --all", LONG));
  const states = new Map(runs.map((/** @type {any} */ run) => [run.run_id, run.state]));
  for (const [run, before] of acknowledged) {
    const now = states.get(run);
    if (now === undefined)
      throw new Error(`run ${run} was acknowledged (${before}) and is missing`);
    if (ENDED.test(before) && now !== before)
      throw new Error(`run ${run} had ${before} and is ${now}`);
    acknowledged.set(run, now);
  }
  return { proven, running };
}

/** @param {string} text */
function lastLine(text) {
  return (
    text
      .trim()
      .split("\n")
      .findLast((line) => line.includes("slot")) ?? text
  );
}

/** Numbers from 0 to 1 that a seed repeats (mulberry32). @param {number} seed */
function randomFrom(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

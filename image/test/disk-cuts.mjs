// Power cuts, as many as asked for: `node image/test/disk-cuts.mjs upgrade 20` or `work 30`. The machine's disk has a cache that a cut
// empties (volatile-disk.mjs); QEMU is killed at a random moment. After each cut: the machine starts from a slot that was proven, the
// journal verifies, and every goal that was acknowledged before is there. Prints a line for each and the figures; exit code 1 on the first
// that does not hold. `--seed N` repeats one. docs/operations/upgrades.md has what came of it.
import { copyFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { bootDisk, bundleOf, makeDisk, mediumOf, proofOf, slotsOf } from "./disk.mjs";
import { newerRoot, rootOf } from "./disk-roots.mjs";
import { command } from "./host.mjs";
import { VolatileDisk } from "./volatile-disk.mjs";

/** @typedef {import("./vm.mjs").Vm} Vm */

const LONG = { timeoutMs: 900_000 };

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
  const vm = await bootDisk(disk.url, { name: `cuts-${kind}` }, [medium]);
  try {
    say(`seed ${values.seed}; first proof: ${lastLine(await proofOf(vm))}`);
    const acknowledged = new Set();
    const figures = { cuts: 0, lost: 0, kept: 0, acknowledged: 0, startSeconds: 0 };
    for (let cut = 1; cut <= Number(count); cut += 1) {
      const told =
        kind === "upgrade" ? await duringUpgrade(vm) : await duringWork(vm, acknowledged);
      const { lost, kept } = disk.cut(random);
      const began = performance.now();
      await vm.powerOn();
      const proof = lastLine(await proofOf(vm));
      const seconds = Math.round((performance.now() - began) / 1000);
      await holds(vm, acknowledged, proof);
      figures.cuts += 1;
      figures.lost += lost;
      figures.kept += kept;
      figures.acknowledged = acknowledged.size;
      figures.startSeconds += seconds;
      say(`${cut}: ${told}; ${lost} blocks lost, ${kept} written; ${seconds} s to: ${proof}`);
    }
    say(
      JSON.stringify({
        kind,
        ...figures,
        startSeconds: Math.round(figures.startSeconds / figures.cuts),
      }),
    );
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

/** Cut while goals are carried out. @param {Vm} vm @param {Set<unknown>} acknowledged */
async function duringWork(vm, acknowledged) {
  const after = Math.round(2000 + random() * 30_000);
  const until = performance.now() + after;
  await vm.must(
    "seq 1 500 | sed 's/.*/Slot & holds a system. It is kept when it works./' >/data/in.txt; chmod 644 /data/in.txt",
  );
  let submitted = 0;
  let stopped = false;
  const work = (async () => {
    while (!stopped) {
      const goal = `Read /data/in.txt and write a summary to /output/${Date.now()}.md`;
      const { status, stdout } = await vm.run(`agentd submit --detach '${goal}'`, LONG);
      if (status !== 0) continue;
      acknowledged.add(stdout.trim());
      submitted += 1;
    }
  })();
  work.catch(() => {}); // the cut ends it
  await new Promise((resolve) => setTimeout(resolve, Math.max(0, until - performance.now())));
  stopped = true;
  await vm.powerCut();
  return `${after} ms into work, ${submitted} goals acknowledged`;
}

/** @param {Vm} vm @param {Set<unknown>} acknowledged @param {string} proof */
async function holds(vm, acknowledged, proof) {
  if (!/works and is kept/.test(proof)) throw new Error(`the slot does not prove itself: ${proof}`);
  const { running, slots, degraded } = await slotsOf(vm);
  if (degraded !== null) throw new Error(`the data volume: ${degraded}`);
  const { confirmed } = slots.find((/** @type {any} */ it) => it.slot === running);
  if (!confirmed) throw new Error(`slot ${running} runs and is not kept`);
  await vm.must("agentd audit verify", LONG);
  const { runs } = JSON.parse(await vm.must("agentd --json list --all", LONG));
  const known = new Set(runs.map((/** @type {any} */ run) => run.run_id));
  const missing = [...acknowledged].filter((run) => !known.has(run));
  if (missing.length > 0) throw new Error(`acknowledged and missing: ${missing.join(", ")}`);
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

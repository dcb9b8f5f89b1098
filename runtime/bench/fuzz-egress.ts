// Mutates real requests, handshakes and queries until the proxy's parsers have read a million of them; prints one line a
// parser as JSON and ends with 1 at the first rule that does not hold.   node dist/bench/fuzz-egress.js [COUNT] [SEED]
import { fuzzTargets } from "../test/egress-targets.js";
import { mutate, seededRandom } from "../test/mutate.js";

const count = Number(process.argv[2] ?? 1_000_000);
const seed = Number(process.argv[3] ?? 1);
const targets = await fuzzTargets();
const each = Math.ceil(count / targets.length);
const before = process.memoryUsage().rss;
for (const target of targets) {
  const random = seededRandom(seed);
  const started = performance.now();
  let slowest = 0;
  for (let round = 0; round < each; round++) {
    const origin = target.seeds[round % target.seeds.length] ?? Buffer.alloc(0);
    const bytes = mutate(origin, target.dictionary, random);
    const split = Math.floor(random() * (bytes.length + 1));
    const from = performance.now();
    try {
      target.check(bytes, split);
    } catch (error) {
      process.stdout.write(
        `${target.name}: ${String(error)}\n${bytes.toString("hex")} split ${split}\n`,
      );
      process.exit(1);
    }
    slowest = Math.max(slowest, performance.now() - from);
  }
  const seconds = (performance.now() - started) / 1_000;
  const line = {
    parser: target.name,
    inputs: each,
    per_second: Math.round(each / seconds),
    slowest_ms: Number(slowest.toFixed(2)),
  };
  process.stdout.write(`${JSON.stringify(line)}\n`);
}
const grown = Math.round((process.memoryUsage().rss - before) / 1_048_576);
process.stdout.write(
  `${JSON.stringify({ inputs: each * targets.length, seed, failures: 0, rss_grown_mb: grown })}\n`,
);

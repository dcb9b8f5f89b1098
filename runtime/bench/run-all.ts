// Runs every benchmark beside it, one after the other, and writes docs/performance.md from this one run: each section is what the
// program printed, a Markdown table or lines of JSON. Ends with 1 where one failed.   node dist/bench/run-all.js
import { execFile } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, loadavg, release, totalmem } from "node:os";
import { fileURLToPath } from "node:url";

const REPO = fileURLToPath(new URL("../../", import.meta.url));
const HERE = fileURLToPath(new URL(".", import.meta.url));

interface Bench {
  readonly title: string;
  /** What the figures mean, and what they ought to be. */
  readonly about: string;
  readonly args: readonly string[];
}

/** Titles and arguments; a benchmark that is not here runs without any under its own name. */
const KNOWN: Readonly<Record<string, Bench>> = {
  "critical-path": {
    title: "A run against its critical path",
    about:
      "The model answers each call after 1 s; the aim is a ratio of at most 1.10. In batches the uneven plan would need 1.25. The path and the run are those of the median.",
    args: ["5"],
  },
  cli: {
    title: "The operator's program",
    about:
      "From start to end, Node's own start included, against Node doing nothing, taken in turn; a shell that starts each is in both. The aim is a ratio below 2.",
    args: [],
  },
  journal: {
    title: "Durable events",
    about:
      "Each round of the journal against a bare write and fsync of as many bytes on the same disk just before it.",
    args: [],
  },
  stop: {
    title: "Stopping a run",
    about:
      "A run is stopped in the middle of a tool that sleeps, of a model call and of a launch; `gone` is seen from outside, in /proc. Aim: within 1 s.",
    args: [],
  },
  sandbox: {
    title: "Sandboxes",
    about:
      "Every layer against nothing and against bubblewrap, taken in turn; a read through the port against Node's own; launches in a burst, and what they cost the event loop.",
    args: [],
  },
  egress: {
    title: "The egress proxy",
    about: "A GET through the proxy against a direct one, on loopback, the ways taken in turn.",
    args: [],
  },
  memory: {
    title: "A hundred thousand memories",
    about:
      "Hybrid search, words and vectors, over all identities at once and over one; the aim is a p95 below 50 ms. The query's own vector takes the local model about 30 ms more.",
    args: [],
  },
  "fuzz-egress": {
    title: "The egress proxy's parsers on mutated input",
    about: "No rule may break and no input may take long; `slowest` is in ms.",
    args: ["100000"],
  },
};

const names = readdirSync(HERE)
  .flatMap((file) => (/^(?!run-all)(.+)\.js$/.exec(file) ?? [])[1] ?? [])
  .sort();
const loadBefore = loadNow();
const sections: string[] = [];
for (const name of names) {
  const { title, about, args } = KNOWN[name] ?? { title: name, about: "", args: [] };
  process.stderr.write(`${name}…\n`);
  const printed = await run([`${HERE}${name}.js`, ...args]);
  if (printed === undefined) process.exitCode = 1;
  else sections.push(section(title, `${about}\n\n`.trimStart(), printed, name, args));
}
sections.push(imageSection());
if (process.exitCode !== 1) writeFileSync(`${REPO}docs/performance.md`, document(sections));

/** Of the image, which machines measure: `npm run test:iso-matrix`. */
function imageSection(): string {
  const text = readFileSync(`${REPO}docs/operations/iso-tests.md`, "utf8");
  const [section = ""] = /^## The image against Debian alone\n[\s\S]*?(?=^## )/m.exec(text) ?? [];
  return `${section.trimEnd()}\n`;
}

function run(args: readonly string[]): Promise<string | undefined> {
  return new Promise((resolve) => {
    execFile(process.execPath, [...args], { maxBuffer: 1 << 26 }, (error, stdout, stderr) => {
      if (error !== null) process.stderr.write(`${stdout}${stderr}${error.message}\n`);
      resolve(error === null ? stdout.trim() : undefined);
    });
  });
}

/** Processes that ran or waited to run, on average over the last minute: over the number of processors, figures say little. */
function loadNow(): string {
  return loadavg()[0]?.toFixed(1) ?? "?";
}

function section(
  title: string,
  about: string,
  printed: string,
  name: string,
  args: readonly string[],
): string {
  const body = printed.startsWith("|") ? printed : `\`\`\`json\n${printed}\n\`\`\``;
  const command = ["node", `dist/bench/${name}.js`, ...args].join(" ");
  return `## ${title}\n\n${about}\`${command}\`\n\n${body}\n`;
}

function document(parts: readonly string[]): string {
  const [cpu] = cpus();
  const machine = [
    `${cpus().length} × ${cpu?.model.trim() ?? "unknown processor"}`,
    `${Math.round(totalmem() / 2 ** 30)} GB`,
    `Linux ${release()}`,
    `Node ${process.versions.node}`,
    `load ${loadBefore} before and ${loadNow()} after`,
  ].join(", ");
  return `# Performance

One run of \`npm run bench\`. Ratios carry over to other machines, absolute figures do not.

${machine}; ${new Date().toISOString().slice(0, 10)}

${parts.join("\n")}`;
}

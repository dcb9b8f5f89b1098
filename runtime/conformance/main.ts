import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { HOST_PATH } from "./collect-answer.js";
import { judge } from "./judge.js";
import { measure } from "./measure.js";
import { renderReport } from "./report.js";
import { Measured } from "./result.js";

/**
 * `npm run conformance`: runs every attempt and writes docs/conformance.md. Ends with 1 where anything is allowed that is not documented
 * as accepted, where an answer is another than the one stated, or where the kernel lacks what an attempt needs. As root it runs the
 * attempts as an ordinary uid. `--json FILE` keeps the raw answers, `--confined` runs only what must hold, `--only F,N01` some of it,
 * `--from FILE` judges kept answers anew, `--report FILE` writes the document there and `--no-report` nowhere, `--no-tools` leaves out
 * the attempts through the tools of an agent.
 */
const ORDINARY_UID = 12_345;
const HERE = dirname(fileURLToPath(import.meta.url));
const TREE = join(HERE, "../..");

const { values } = parseArgs({
  options: {
    "as-measurer": { type: "boolean", default: false },
    confined: { type: "boolean", default: false },
    only: { type: "string", default: "" },
    json: { type: "string" },
    from: { type: "string", multiple: true },
    "no-report": { type: "boolean", default: false },
    "no-tools": { type: "boolean", default: false },
    report: { type: "string", default: join(TREE, "docs/conformance.md") },
    "sandbox-runtime": { type: "string" },
  },
});

/** In the process of the ordinary uid: measures and says the result on standard output. */
async function measureHere(): Promise<void> {
  const measured = await measure({
    nativeDir: join(TREE, "native/build"),
    columns: values.confined ? "confined" : "all",
    sandboxRuntime:
      values["sandbox-runtime"] === undefined ? null : join(TREE, values["sandbox-runtime"]),
    tools: !values["no-tools"],
    only: values.only === "" ? [] : values.only.split(","),
  });
  process.stdout.write(JSON.stringify(measured));
}

async function measureAsOrdinaryUid(): Promise<Measured> {
  const isRoot = process.getuid?.() === 0;
  const child = spawn(process.execPath, [...process.argv.slice(1), "--as-measurer"], {
    stdio: ["ignore", "pipe", "inherit"],
    cwd: "/",
    env: { PATH: HOST_PATH, HOME: "/nonexistent" },
    ...(isRoot ? { uid: ORDINARY_UID, gid: ORDINARY_UID } : {}),
  });
  const chunks: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
  const [code] = (await once(child, "close")) as [number | null];
  if (code !== 0) throw new Error(`the measuring process ended with ${code}`);
  return Measured.parse(JSON.parse(Buffer.concat(chunks).toString("utf8")));
}

/** Kept answers instead of new ones; of several files the first says what was measured, all say what was answered. */
function read(files: readonly string[]): Measured {
  const kept = files.map((file) => Measured.parse(JSON.parse(readFileSync(file, "utf8"))));
  const [first] = kept;
  if (first === undefined) throw new Error("--from names no file");
  const rows = kept.flatMap((one) => one.rows);
  return { ...first, rows, tools: kept.flatMap((one) => one.tools) };
}

if (values["as-measurer"]) {
  await measureHere();
} else {
  const measured = values.from === undefined ? await measureAsOrdinaryUid() : read(values.from);
  if (values.json !== undefined) writeFileSync(values.json, JSON.stringify(measured, null, 1));
  const verdict = judge(measured);
  if (!values["no-report"] && !values.confined && values.only === "")
    writeFileSync(values.report, renderReport(measured, verdict));
  for (const problem of verdict.problems) process.stderr.write(`${problem}\n`);
  process.stdout.write(`${verdict.summary}\n`);
  process.exitCode = verdict.problems.length === 0 ? 0 : 1;
}

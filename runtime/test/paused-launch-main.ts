// A daemon with a launch that waits at a step, for a test that kills this whole process there. Prints the launcher's and the child's pid.
//   node dist/test/paused-launch-main.js STEP
import { openSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { probePlan, startProbeHost } from "./confined.js";

const { spawner } = startProbeHost([`pause ${process.argv[2] ?? ""}`]);
const fds = [0, 1, 2].map(() => openSync("/dev/null", "r+"));
void spawner.spawn(probePlan(["linger"]), fds, new AbortController().signal);
const children = `/proc/${spawner.pid}/task/${spawner.pid}/children`;
let child = "";
while (child === "") {
  await sleep(20);
  child = (await readFile(children, "utf8")).trim();
}
process.stdout.write(`${spawner.pid} ${child}\n`);
setInterval(() => undefined, 1_000);

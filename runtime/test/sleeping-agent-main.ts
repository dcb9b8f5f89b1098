// An agent whose program sleeps: for a test that kills this whole process. Prints "ready" once the program runs.
//   node dist/test/sleeping-agent-main.js WORD      the program's argument, by which the test finds it
import { writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { openTestAgent, processesWith, testBase } from "./confined-agent.js";

const word = process.argv[2] ?? "";
const base = await testBase();
writeFileSync(`${base}/in/file`, "x");
const grants = ["file_read: {base}/in/*", "file_read: {base}/work/*", "exec: sleep", "exec: sh"];
const agent = await openTestAgent(base, { grants });
await agent.call("file_read", { path: `${base}/in/file` });
void agent.call("exec", { program: "sh", args: ["-c", `sleep ${word} & sleep ${word}`] });
while ((await processesWith(word)).length < 2) await sleep(20);
const [worker] = await processesWith("aaos-files");
process.stdout.write(`ready ${base} ${worker}\n`);

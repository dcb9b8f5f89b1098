// Run as an ordinary user (the kernel counts no processes of root): a fork bomb in a confined program, and a file read beside it.
import { writeFileSync } from "node:fs";
import { openTestAgent, testBase } from "./confined-agent.js";

const BOMB = `import os, time
n = 0
try:
    while True:
        if os.fork() == 0: time.sleep(60)
        n += 1
except OSError as error: print(n < 1100, error.errno)`;

const base = await testBase();
writeFileSync(`${base}/in/file`, "granted");
const agent = await openTestAgent(base, {
  grants: ["file_read: {base}/work/*", "file_read: {base}/in/*", "exec: python3"],
});
const bomb = agent.call("exec", { program: "python3", args: ["-c", BOMB], timeout_s: 60 });
const read = await agent.call("file_read", { path: `${base}/in/file` });
const ran = await bomb;
await agent[Symbol.asyncDispose]();
process.stdout.write(JSON.stringify({ read: read.ok, ran: ran.ok ? ran.output : ran.error }));

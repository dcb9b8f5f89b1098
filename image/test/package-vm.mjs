// What the package's tests need of their VM: the packages to install, a model that says what a script tells it to, and short words
// for what they do over and over.
import assert from "node:assert/strict";
import { copyFile, cp, mkdir, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { command, quote } from "./host.mjs";

const checkout = join(import.meta.dirname, "../..");
const packages = join(checkout, "build/deb/out");

// Everything is emulated: Node alone takes seconds to start.
export const PATIENT = { timeoutMs: 300_000 };
export const INSTALL = "DEBIAN_FRONTEND=noninteractive apt-get install -q -y --reinstall";
export const PAGES_PORT = 8099;
const MODEL_PORT = 8098;

/** Everything that is handed in: the package, a later one, pages to fetch, a scripted model. @param {string} dir an empty folder */
export async function handIn(dir) {
  // biome-ignore lint/style/noProcessEnv: as image/make-root has it, for all that builds on a package
  const deb = process.env["AAOS_DEB"] ?? (await builtPackage());
  await copyFile(deb, join(dir, "aaos.deb"));
  await laterPackage(deb, dir);
  await cp(join(checkout, "packaging/demo"), join(dir, "demo"), { recursive: true });
  await mkdir(join(dir, "model"));
  const model = (await readdir(join(checkout, "dist/test"))).filter((name) =>
    /^scripted-[a-z-]+\.js$/.test(name),
  );
  for (const name of model)
    await copyFile(join(checkout, "dist/test", name), join(dir, "model", name));
  await writeFile(join(dir, "model/package.json"), '{"type":"module"}');
  await writeFile(join(dir, "model/script.json"), JSON.stringify(SCRIPT));
  await writeFile(join(dir, "ask-system.mjs"), ASK_SYSTEM);
}

async function builtPackage() {
  await command(join(checkout, "packaging/build-deb"), []);
  const deb = (await readdir(packages)).find((name) => /^aaos_.*\.deb$/.test(name));
  assert.ok(deb !== undefined, "packaging/build-deb has made a package");
  return join(packages, deb);
}

/** The same package under a later version. @param {string} deb @param {string} dir */
async function laterPackage(deb, dir) {
  const tree = join(dir, "later");
  await command("dpkg-deb", ["-R", deb, tree]);
  await command("sed", ["-i", "s/^Version: .*/&+later1/", join(tree, "DEBIAN/control")]);
  await command("dpkg-deb", ["--root-owner-group", "-Zgzip", "-b", tree, join(dir, "later.deb")]);
  await command("rm", ["-r", tree]);
}

/** Sends one request to the root service, and prints what comes back. */
const ASK_SYSTEM = `import { connect } from "node:net";
const socket = connect("/run/aaos-system.sock");
socket.on("error", (error) => { console.log(error.code); process.exitCode = 1; });
socket.on("connect", () => socket.write(process.argv[2] + "\\n"));
socket.pipe(process.stdout);
`;

/** @param {string} script */
const perl = (script) => ({
  tool_calls: [
    {
      name: "exec",
      input: { program: "perl", args: ["-e", script], cwd: "/output", timeout_s: 600 },
    },
  ],
});

const FORK_BOMB = `$n = 0;
while (defined($p = fork)) { if (!$p) { sleep 60; exit } $n++ }
print "stopped after $n forks: $!\\n"`;
const MEMORY_HOG = "while (1) { $a[$i++] = 'x' x (8 << 20) }";
const DISK_FILLER = `$SIG{XFSZ} = 'IGNORE';
open F, '>', '/output/fill' or die "open: $!";
sysseek F, (2 << 30) - 4096, 0;
1 while defined syswrite F, 'x' x 4096;
print "file: $!\\n"; close F; unlink '/output/fill';
open F, '>', '/tmp/fill' or die "tmp: $!";
1 while defined syswrite F, 'x' x 1048576;
print "tmp: $!\\n"`;

const QUOTA_FILLER = `open F, '>', '/output/fill' or die "open: $!";
1 while defined syswrite F, 'x' x 1048576;
print "file: $!\\n"; close F; unlink '/output/fill'`;

/** What the model says: for each task one program, and its end whatever has come of it. */
const SCRIPT = Object.entries({
  "TASK-LONG": perl("sleep 600"),
  "TASK-SHORT": perl("sleep 8; print 'slept'"),
  "TASK-FORK": perl(FORK_BOMB),
  "TASK-MEMORY": perl(MEMORY_HOG),
  "TASK-DISK": perl(DISK_FILLER),
  "TASK-QUOTA": perl(QUOTA_FILLER),
}).flatMap(([task, reply]) => [
  { match: { any: task, tool_result: "/./s" }, reply: `${task} is done` },
  { match: { any: task }, reply },
]);

export const POLICY = `network: {allow: ["*", "127.0.0.1:${PAGES_PORT}"]}
read: {allow: [/data, /output]}
exec: {allow: [perl]}
`;

const ROLE = `name: tester
system_prompt: Does what it is told.
message_template: "{task}"
parameters:
  task: {type: string, required: true, description: what to do}
capabilities: ["exec: perl", "file_read: /output/*", "file_write: /output/*"]
`;

const MODEL_UNIT = `[Unit]
Before=agentd.service
[Service]
ExecStart=/usr/bin/node /usr/local/lib/model/scripted-model-main.js /usr/local/lib/model/script.json --port ${MODEL_PORT}
[Install]
WantedBy=multi-user.target
`;

const PROVIDERS = `default: local
providers: {local: {api: openai, base_url: "http://127.0.0.1:${MODEL_PORT}/v1"}}
models: {scripted: {provider: local, context: 32768}}
aliases: {planner: scripted, fast: scripted, strong: scripted}
`;

/** The short words, for one VM. @param {() => import("./vm.mjs").Vm} vm */
export function wordsFor(vm) {
  /** @param {string} shellCommand @param {string} [user] */
  const run = (shellCommand, user) =>
    vm().run(shellCommand, user === undefined ? PATIENT : { ...PATIENT, user });
  /** @param {string} shellCommand @param {string} [user] */
  const must = (shellCommand, user) =>
    vm().must(shellCommand, user === undefined ? PATIENT : { ...PATIENT, user });
  /** Writes a file as root. @param {string} path @param {string} text @param {string} [mode] */
  const put = (path, text, mode = "644") =>
    must(`printf %s ${quote(text)} >${path} && chmod ${mode} ${path}`);
  /** @param {string} id @param {string} [user] @returns {Promise<string>} */
  const stateOf = async (id, user) =>
    JSON.parse(await must(`agentd status --json ${id}`, user)).run.state;
  const mainPid = async () => (await must("systemctl show -P MainPID agentd.service")).trim();
  return {
    run,
    must,
    put,
    mainPid,
    /** Waits until a command of the VM succeeds. @param {string} condition @param {number} [seconds] */
    until: (condition, seconds = 120) =>
      must(
        `for i in $(seq ${seconds}); do if ${condition}; then exit 0; fi; sleep 1; done; echo "never: "${quote(condition)}; systemctl status --no-pager agentd; exit 1`,
      ),
    /** The model's server, there at every boot before the daemon. */
    installScriptedModel: async () => {
      await must("cp -r /opt/in/model /usr/local/lib/model");
      await put("/etc/systemd/system/model.service", MODEL_UNIT);
      await must("systemctl enable --now --quiet model.service");
    },
    /** A daemon takes seconds to start on a real machine; on an emulated one that others use it took more than a minute. */
    allowSlowStart: async () => {
      const dir = "/etc/systemd/system/agentd.service.d";
      await must(`mkdir -p ${dir}`);
      await put(`${dir}/emulated.conf`, "[Service]\nTimeoutStartSec=300\n");
    },
    /** The files that make agents use it. */
    useScriptedModel: async () => {
      await put("/etc/aaos/policy.yaml", POLICY);
      await put("/etc/aaos/providers.yaml", PROVIDERS);
      await put("/etc/aaos/roles/tester.yaml", ROLE);
      await must("systemctl reload agentd.service");
    },
    /** Submits one task of the script; its run's id. @param {string} task @param {string} user */
    begin: async (task, user) => {
      const submit = `agentd submit --detach --json --role tester --param task=${task} ${task}`;
      const { run_id } = JSON.parse(await must(submit, user));
      return /** @type {string} */ (run_id);
    },
    /** @param {string} id @param {string} [user] */
    stateOf: (id, user) => stateOf(id, user),
    /** Waits until a run has ended, and gives the state. @param {string} id @param {string} [user] */
    ends: async (id, user) => {
      for (let attempt = 0; attempt < 150; attempt++) {
        const state = await stateOf(id, user);
        if (["succeeded", "failed", "cancelled"].includes(state)) return state;
        await sleep(1_000);
      }
      const logs = await run(`agentd logs ${id}; journalctl -q -u agentd -n 40 --no-pager`);
      throw new Error(`run ${id} does not end\n${logs.stdout}${logs.stderr}`);
    },
  };
}

import type { Json } from "../../protocol/json.js";

/** What the attempts are made on. All of it exists and would answer, so that a refusal is a refusal. */
export interface Targets {
  /** The run's own workspace. */
  readonly workspace: string;
  /** A file of the daemon's, outside every grant, and a link to it inside the workspace. */
  readonly secret: string;
  readonly link: string;
  /** HOST:PORT of the server that the role may reach, and of the one that it may not. */
  readonly open: string;
  readonly closed: string;
  readonly socket: string;
}

/** One tool call that must be refused. */
interface Attempt {
  readonly name: string;
  readonly tool: string;
  readonly input: (at: Targets) => { readonly [key: string]: Json };
}

/** Refused before anything happens: by the tokens, the policy, the resolved path, or the proxy. */
export const CALLS: readonly Attempt[] = [
  {
    name: "reading a file that was not granted",
    tool: "file_read",
    input: ({ secret }) => ({ path: secret }),
  },
  {
    name: "reading through a link that leads out of the grant",
    tool: "file_read",
    input: ({ link }) => ({ path: link }),
  },
  {
    name: "writing below /etc",
    tool: "file_write",
    input: () => ({ path: "/etc/aaos-selftest", content: "x" }),
  },
  {
    name: "fetching from an inside address that was not granted",
    tool: "web_fetch",
    input: ({ closed }) => ({ url: `http://${closed}/` }),
  },
  {
    name: "following a redirect to it",
    tool: "web_fetch",
    input: ({ open }) => ({ url: `http://${open}/away` }),
  },
  {
    name: "starting a program that was not granted",
    tool: "exec",
    input: () => ({ program: "sh", args: ["-c", "true"] }),
  },
];

/** Tried by a program that was granted, with system calls of its own: here only the kernel refuses. */
export const INSIDE = [
  { key: "read", name: "a program reading what was not granted" },
  { key: "write", name: "a program writing outside its grant" },
  { key: "connect", name: "a program connecting past the proxy" },
  { key: "socket", name: "a program connecting to the daemon" },
] as const;

/** Prints what became of each as JSON: an errno, or `done` where nobody refused. */
const SCRIPT = `
const fs = require("node:fs"), net = require("node:net");
const [secret, folder, address, socket] = process.argv.slice(1);
const tried = (act) => { try { act(); return "done"; } catch (error) { return error.code; } };
const connected = (where) => new Promise((resolve) => {
  try {
    const to = net.connect(where, () => { to.destroy(); resolve("done"); });
    to.on("error", (error) => resolve(error.code));
    setTimeout(() => resolve("ETIMEDOUT"), 2000).unref();
  } catch (error) { resolve(error.code); }
});
(async () => {
  const [host, port] = address.split(":");
  const found = {
    read: tried(() => fs.readFileSync(secret)),
    write: tried(() => fs.writeFileSync(folder + "/aaos-selftest", "x")),
    connect: await connected({ host, port: Number(port) }),
    socket: await connected({ path: socket }),
  };
  process.stdout.write(JSON.stringify(found), () => process.exit(0));
})();
`;

/** The call that starts this program. It must be let through, or the four prove nothing. */
export function insideCall({ secret, closed, socket, workspace }: Targets) {
  const args = ["-e", SCRIPT, secret, "/usr/lib", closed, socket];
  return { program: "node", args, cwd: workspace, timeout_s: 120 };
}

import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { EgressEvent } from "./types.js";

const DRIVER = fileURLToPath(new URL("../../test/egress-in-netns.js", import.meta.url));

// Stands in for the native launcher: a child makes its own empty network namespace (and a mount namespace, for a resolv.conf
// that names the stub), binds the listeners there and sends their descriptors out; then it runs the attempts inside.
const LAUNCHER = `
import ctypes, fcntl, json, os, socket, struct, subprocess, sys
node, driver, dir = sys.argv[1:4]
attempts = json.loads(sys.argv[4])
libc = ctypes.CDLL(None, use_errno=True)
def check(result, what):
    if result != 0: raise OSError(ctypes.get_errno(), what)
ours, theirs = socket.socketpair()
if os.fork() == 0:
    ours.close()
    check(libc.unshare(0x10000000 | 0x00020000 | 0x40000000), "unshare")
    up = socket.socket()
    fcntl.ioctl(up, 0x8914, struct.pack("16sh22x", b"lo", 0x41))
    check(libc.mount(b"none", b"/", None, 0x4000 | 0x40000, None), "private")
    resolv = os.path.join(dir, "resolv.conf").encode()
    check(libc.mount(resolv, os.path.realpath("/etc/resolv.conf").encode(), None, 4096, None), "bind")
    def listen(address):
        s = socket.socket(); s.bind(address); s.listen(64); return s
    tcp = [listen(("127.0.0.1", 3128)), listen(("0.0.0.0", 80)), listen(("0.0.0.0", 443)), listen(("127.0.0.1", 53))]
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); udp.bind(("127.0.0.1", 53))
    socket.send_fds(theirs, [b"x"], [s.fileno() for s in tcp] + [udp.fileno()])
    for s in tcp + [udp]: s.close()
    ready = theirs.recv(4096).decode().split()
    env = {"PATH": "/usr/bin:/bin", "CA": ready[1], "HOST_PORT": ready[2]}
    results = {}
    for name, argv in attempts.items():
        # A namespace within this one, empty too: whoever else is confined.
        elsewhere = (lambda: check(libc.unshare(0x40000000), "unshare")) if name.startswith("T25") else None
        run = subprocess.run(argv, env=env, capture_output=True, text=True, timeout=15, preexec_fn=elsewhere)
        results[name] = {"code": run.returncode, "out": run.stdout, "err": run.stderr[-400:]}
    theirs.sendall(json.dumps(results).encode() + b"\\n")
    os._exit(0)
theirs.close()
fds = socket.recv_fds(ours, 1, 5)[1]
daemon = subprocess.Popen([node, driver] + [str(fd) for fd in fds], pass_fds=fds, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
ours.sendall(daemon.stdout.readline().encode())
results = ours.makefile().readline()
os.wait()
events = daemon.communicate()[0]
print(results.strip())
print(events.strip())
`;

const connectTo = (host: string, port: string) => [
  "/usr/bin/python3",
  "-c",
  `import os,socket\ntry: socket.create_connection(("${host}", ${port}), 3)\nexcept OSError as e: print(e.errno)\nelse: print("connected")`,
];
const udpTo = [
  "/usr/bin/python3",
  "-c",
  'import socket\ntry: socket.socket(2,2).sendto(b"x",("9.9.9.9",53))\nexcept OSError as e: print(e.errno)\nelse: print("sent")',
];
const curl = (...args: string[]) => [
  "/bin/sh",
  "-c",
  `exec curl -sS --max-time 8 --cacert "$CA" ${args.join(" ")}`,
];
const ATTEMPTS: Readonly<Record<string, readonly string[]>> = {
  "capture http": curl("http://granted.test/a"),
  "capture https": curl("https://granted.test/b"),
  "python https": [
    "/bin/sh",
    "-c",
    `SSL_CERT_FILE="$CA" exec python3 -c 'import urllib.request;print(urllib.request.urlopen("https://granted.test/py").read().decode(),end="")'`,
  ],
  "proxy https": curl("-x", "http://127.0.0.1:3128", "https://granted.test/c"),
  "socks https": curl("--socks5-hostname", "127.0.0.1:3128", "https://granted.test/d"),
  "dns denied": curl("http://evil.test/"),
  "dns over tcp": ["/bin/sh", "-c", `RES_OPTIONS=use-vc exec getent hosts granted.test`],
  "own listener": connectTo("127.0.0.1", "3128"),
  "T01 host loopback": connectTo("127.0.0.1", "int(os.environ['HOST_PORT'])"),
  "T02 direct": connectTo("1.1.1.1", "443"),
  "T05 udp": udpTo,
  "T25 other namespace": connectTo("127.0.0.1", "3128"),
};

let dir: string;
let results: Record<string, { code: number; out: string; err: string }>;
let events: EgressEvent[];

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "aaos-netns-"));
  writeFileSync(join(dir, "resolv.conf"), "nameserver 127.0.0.1\noptions timeout:2 attempts:1\n");
  const args = ["-c", LAUNCHER, process.execPath, DRIVER, dir, JSON.stringify(ATTEMPTS)];
  const out = execFileSync("/usr/bin/python3", args, { encoding: "utf8", timeout: 60_000 });
  const [first = "", second = ""] = out.trim().split("\n");
  results = JSON.parse(first) as typeof results;
  events = JSON.parse(second) as EgressEvent[];
}, 70_000);
afterAll(() => rmSync(dir, { recursive: true, force: true }));

describe("in an empty network namespace, with listeners handed out of it", () => {
  it.each([
    ["capture http", "plain granted.test/a"],
    ["capture https", "secure granted.test/b"],
    ["python https", "secure granted.test/py"],
    ["proxy https", "secure granted.test/c"],
    ["socks https", "secure granted.test/d"],
  ])("%s reaches the granted host", (name, out) => {
    expect(results[name]).toMatchObject({ code: 0, out });
  });

  it("the stub answers over UDP and TCP with the captured address", () => {
    expect(results["dns over tcp"]?.out).toContain("127.1.0.1");
    expect(events.some((event) => event.via === "dns" && event.verdict === "allowed")).toBe(true);
  });

  it("T06 another name has no address, and that is reported", () => {
    expect(results["dns denied"]?.code).toBe(6);
    expect(events.find((event) => event.host === "evil.test")).toMatchObject({
      via: "dns",
      reason: "not_granted",
    });
  });

  it("T01 a service on the host's loopback does not exist here", () => {
    expect(results["T01 host loopback"]?.out.trim()).toBe("111");
  });

  it("T02 T05 nothing leaves past the listeners, by TCP or by UDP", () => {
    expect(results["T02 direct"]?.out.trim()).toBe("101");
    expect(results["T05 udp"]?.out.trim()).toBe("101");
  });

  it("T25 the listener of one namespace cannot be dialled from another", () => {
    expect(results["own listener"]?.out.trim()).toBe("connected");
    expect(["101", "111"]).toContain(results["T25 other namespace"]?.out.trim());
  });
});

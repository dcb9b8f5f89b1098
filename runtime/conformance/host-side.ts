import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { readdirSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { basename, join } from "node:path";
import { createInterface } from "node:readline";

/** What stands on the host, of the same uid, for attempts to reach. `places` says where. */
export interface HostSide {
  readonly places: Readonly<Record<string, string>>;
  readonly close: () => Promise<void>;
}

export async function openHostSide(options: {
  readonly probe: string;
  readonly dir: string;
  readonly secret: string;
}): Promise<HostSide> {
  const { probe, dir, secret } = options;
  const key = `0x${createHash("sha256").update(dir).digest("hex").slice(0, 7)}`;
  const sock = join(dir, "host.sock");
  const dgram = join(dir, "host.dgram");
  const victim = spawn(probe, ["victim", key, secret, dgram], {
    stdio: ["pipe", "pipe", "inherit"],
    env: { AAOS_CONFORMANCE_SECRET: "secret" },
  });
  const [line] = (await once(createInterface(victim.stdout), "line")) as [string];
  const [host = "", mark = "", hostFd = ""] = line.split(" ");
  const tmpFile = `/tmp/${basename(dir)}`;
  await writeFile(tmpFile, "temporary");
  const servers = [
    await listening({ host: "127.0.0.1", port: 0 }),
    await listening({ host: "::1", port: 0 }),
    await listening({ path: sock }),
  ];
  const udp = createSocket("udp4");
  udp.on("message", (message, from) => udp.send(message, from.port, from.address));
  udp.bind(0, "127.0.0.1");
  await once(udp, "listening");
  return {
    places: {
      host,
      mark,
      host_fd: hostFd,
      sock,
      dgram,
      key,
      tmp_file: tmpFile,
      tcp: portOf(servers[0]),
      tcp6: portOf(servers[1]),
      udp: String(udp.address().port),
      disk: aDisk(),
    },
    close: async () => {
      await rm(tmpFile, { force: true });
      udp.close();
      for (const server of servers) server?.close();
      const ended = once(victim, "exit");
      victim.stdin.end();
      await ended;
    },
  };
}

/** Greets, so that whoever waits for something from it gets something. */
async function listening(where: {
  readonly path?: string;
  readonly host?: string;
  readonly port?: number;
}): Promise<Server | undefined> {
  const server = createServer((socket) => {
    socket.on("error", () => undefined);
    socket.end("x");
  });
  server.listen(where);
  const failed = await Promise.race([once(server, "listening"), once(server, "error")]);
  // A host without IPv6 has no such place: the attempt that needs it fails by name.
  return failed[0] instanceof Error ? undefined : server;
}

function portOf(server: Server | undefined): string {
  const address = server?.address();
  return typeof address === "object" && address !== null ? String(address.port) : "no-port";
}

function aDisk(): string {
  return readdirSync("/sys/class/block")[0] ?? "sda";
}

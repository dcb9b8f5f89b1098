// A GET through the whole egress proxy against a direct one, on loopback: p50 and p99 of small requests on fresh
// connections, and the throughput of a 10 MB body; prints one JSON line.   node dist/bench/egress.js [ROUNDS]
import { get, type RequestOptions } from "node:http";
import { connect, type Server, type Socket } from "node:net";
import { egressWorld, httpServer, portOf } from "../test/egress-world.js";

const rounds = Number(process.argv[2] ?? 500);
const big = Buffer.alloc(10 << 20, 0x61);
const server: Server = await httpServer((request, response) =>
  response.end(request.url === "/big" ? big : "x".repeat(1_024)),
);
const port = portOf(server);
const quotas = {
  max_connections: 64,
  max_bytes: 2 ** 40,
  idle_ms: 10_000,
  connect_ms: 5_000,
  total_ms: 600_000,
};
const world = await egressWorld({ quotas });
world.grants.set("granted.test", "named");
world.names.set("granted.test", ["127.0.0.1"]);

type Open = () => Promise<Socket>;
const direct: Open = () => opened(connect({ port, host: "127.0.0.1", noDelay: true }), "connect");
const tunnel: Open = async () => {
  const socket = await opened(
    connect({ port: world.proxyPort, host: "127.0.0.1", noDelay: true }),
    "connect",
  );
  socket.write(`CONNECT granted.test:${port} HTTP/1.1\r\nHost: granted.test:${port}\r\n\r\n`);
  await new Promise((resolve) => socket.once("data", resolve));
  return socket;
};

function opened(socket: Socket, event: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    socket.once(event, () => resolve(socket));
    socket.once("error", reject);
  });
}

async function timed(open: Open, path: string): Promise<number> {
  const started = performance.now();
  const socket = await open();
  await read({ path, createConnection: () => socket, host: "granted.test", port });
  return performance.now() - started;
}

/** The same through an absolute-URI request, as a client of plain HTTP sends it. */
async function forwarded(path: string): Promise<number> {
  const started = performance.now();
  const target = `http://granted.test:${port}${path}`;
  await read({
    host: "127.0.0.1",
    port: world.proxyPort,
    path: target,
    headers: { Host: `granted.test:${port}` },
  });
  return performance.now() - started;
}

function read(options: RequestOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    get(options, (response) => response.on("end", resolve).on("error", reject).resume()).on(
      "error",
      reject,
    );
  });
}

type Name = "direct" | "tunnel" | "forward";
const WAYS: Readonly<Record<Name, (path: string) => Promise<number>>> = {
  direct: (path) => timed(direct, path),
  tunnel: (path) => timed(tunnel, path),
  forward: forwarded,
};

/** Sorted samples of each way, taken in turn, so that whatever else the machine does hits all alike. */
async function interleaved(path: string, times: number): Promise<Record<Name, number[]>> {
  const samples: Record<Name, number[]> = { direct: [], tunnel: [], forward: [] };
  const names = Object.keys(WAYS) as Name[];
  for (let round = -times / 5; round < times; round++) {
    for (const name of names) {
      const sample = await WAYS[name](path);
      if (round >= 0) samples[name].push(sample);
    }
  }
  for (const name of names) samples[name].sort((left, right) => left - right);
  return samples;
}

const at = (samples: readonly number[], part: number) =>
  Number((samples[Math.floor(samples.length * part)] ?? 0).toFixed(3));
const small = await interleaved("/", rounds);
const large = await interleaved("/big", 30);
const row = (name: Name) => ({
  p50_ms: at(small[name], 0.5),
  p99_ms: at(small[name], 0.99),
  ratio_p50: Number((at(small[name], 0.5) / at(small.direct, 0.5)).toFixed(2)),
  ratio_p99: Number((at(small[name], 0.99) / at(small.direct, 0.99)).toFixed(2)),
  mb_per_s: Math.round(10_000 / at(large[name], 0.5)),
});
process.stdout.write(
  `${JSON.stringify({ bench: "egress", direct: row("direct"), tunnel: row("tunnel"), forward: row("forward") })}\n`,
);
await world.close();
server.close();

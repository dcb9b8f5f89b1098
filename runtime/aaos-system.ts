#!/usr/bin/env node
import { existsSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { openMachine } from "./appliance/machine.js";
import { serveSystem } from "./appliance/serve.js";
import { VERBS } from "./appliance/verbs.js";
import { ADMIN_GROUP, callerOf } from "./protocol/caller.js";
import { findNative } from "./protocol/places.js";
import { loadAddon } from "./sandbox/addon.js";
import { peerOfSocket } from "./sandbox/peer-of-socket.js";
import { openSystemJournal } from "./system-journal.js";

// The main of the root service: aaos-system.socket gives it its listening socket, it does what admins ask, and goes when it is idle.

/** The first descriptor that systemd passes: sd_listen_fds(3). */
const LISTEN_FD = 3;
const IDLE_MS = 30_000;

const addon = loadAddon(
  join(findNative(dirname(fileURLToPath(import.meta.url)), existsSync), "aaos.node"),
);
const journal = openSystemJournal(addon.sendDatagram);
const stop = new AbortController();
for (const name of ["SIGTERM", "SIGINT"] as const) process.once(name, () => stop.abort());

const server = createServer({ allowHalfOpen: true });
server.listen({ fd: LISTEN_FD });
await serveSystem({
  server,
  verbs: VERBS,
  machine: openMachine(),
  // Asked anew for each, since the group may be made while this runs.
  peerOf: (socket: Socket) =>
    callerOf(peerOfSocket(addon, socket), { gid: addon.groupId(ADMIN_GROUP), owner: null }),
  record: ({ verb, uid, outcome, detail }) => {
    journal.write({
      MESSAGE: `${verb === "" ? "a request" : verb} by uid ${uid ?? "unknown"}: ${outcome}${detail === "" ? "" : `: ${detail}`}`,
      PRIORITY: outcome === "refused" || outcome === "failed" ? 4 : 5,
      SYSLOG_IDENTIFIER: "aaos-system",
      AAOS_VERB: verb,
      AAOS_UID: uid,
      AAOS_OUTCOME: outcome,
    });
  },
  signal: stop.signal,
  idleMs: IDLE_MS,
});

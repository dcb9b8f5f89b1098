#!/usr/bin/env node
import { readFileSync } from "node:fs";
import { answerRauc } from "./appliance/boot/backend.js";
import { proveSlot } from "./appliance/boot/health.js";
import { readKernelArguments } from "./appliance/boot/running-slot.js";
import { openSlotRecords, SLOT_FILES } from "./appliance/boot/slot-records.js";
import { openMachine } from "./appliance/machine.js";
import { errorText } from "./base/error-text.js";

// The main of what belongs to starting an installed disk: RAUC's boot backend, and `health`, the proof of a slot. Root's alone.

const machine = openMachine();
const started = readKernelArguments(machine);
const stop = new AbortController();
process.once("SIGTERM", () => stop.abort());

try {
  const [request, ...rest] = process.argv.slice(2);
  if (request === "health") await health();
  else {
    const answer = await answerRauc(machine, started.slot, [request ?? "", ...rest]);
    if (answer !== "") process.stdout.write(`${answer}\n`);
  }
} catch (thrown) {
  process.stderr.write(`aaos-boot: ${errorText(thrown)}\n`);
  process.exitCode = 1;
}

async function health(): Promise<void> {
  const { slot } = started;
  if (slot === undefined) return;
  const end = await proveSlot({
    machine,
    records: openSlotRecords(SLOT_FILES),
    started: { ...started, slot },
    version: readFileSync("/usr/lib/aaos/version", "utf8").trim(),
    say: (text) => process.stdout.write(`${text}\n`),
    now: () => new Date(),
    signal: stop.signal,
  });
  if (end === "left") await machine.run("systemctl", ["reboot"]);
}

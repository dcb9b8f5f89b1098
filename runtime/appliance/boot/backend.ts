import { AgentdError } from "../../protocol/agentd-error.js";
import { type BootChange, isSlot, type Slot } from "../../protocol/slots.js";
import type { Machine } from "../machine.js";
import { changeEnvironment, withBootPartition } from "./boot-environment.js";

/**
 * RAUC's custom boot backend (rauc.readthedocs.io, "Custom"): one request, its answer as a line, or "" for one that has none. A slot
 * that RAUC marks bad is one that it is about to write.
 */
export async function answerRauc(
  machine: Machine,
  running: Slot | undefined,
  [request = "", name = "", value = ""]: readonly string[],
): Promise<string> {
  if (request === "get-current") return running ?? "";
  const apply = (changes: readonly BootChange[]) =>
    withBootPartition(machine, (folder) => changeEnvironment(folder, running, changes).state);
  if (request === "get-primary") {
    const { order, slots } = await apply([]);
    return order.find((slot) => slots[slot].ok) ?? order[0];
  }
  if (!isSlot(name)) throw unknown(`${request} ${name}`);
  switch (`${request} ${value}`) {
    case "get-state ":
      return (await apply([])).slots[name].ok ? "good" : "bad";
    case "set-primary ":
      await apply([{ type: "wanted", slot: name }]);
      return "";
    case "set-state good":
      await apply([{ type: "healthy", slot: name }]);
      return "";
    case "set-state bad":
      await apply([{ type: "writing", slot: name }]);
      return "";
    default:
      throw unknown(`${request} ${name} ${value}`);
  }
}

function unknown(request: string): AgentdError {
  return new AgentdError("usage", "boot backend", `no request "${request}"`);
}

import type { AgentsPort } from "../protocol/agents-port.js";
import type { PortFailure } from "../protocol/ports.js";

const ALONE: PortFailure = {
  ok: false,
  kind: "not_found",
  message: "there is no other agent here",
};

/** The port of an agent that is alone in the world. */
export const NO_OTHER_AGENTS: AgentsPort = {
  max_children: 3,
  resolve: () => ALONE,
  runChild: () => Promise.resolve(ALONE),
  find: () => ALONE,
  send: () => Promise.resolve(ALONE),
  sendAndWait: () => Promise.resolve(ALONE),
};

// QEMU's machine protocol (QMP): one JSON object a line; greeting, capabilities, then commands and events.
import { createInterface } from "node:readline";

export class Qmp {
  /** @type {Map<number, {resolve: (value: unknown) => void, reject: (error: Error) => void}>} */
  #waiting = new Map();
  #nextId = 1;
  /** @type {import("node:net").Socket} */
  #socket;

  /** @param {import("node:net").Socket} socket @param {(event: string) => void} onEvent */
  constructor(socket, onEvent) {
    this.#socket = socket;
    socket.on("error", () => {});
    socket.on("close", () => {
      for (const { reject } of this.#waiting.values()) reject(new Error("QEMU is gone"));
      this.#waiting.clear();
    });
    createInterface({ input: socket }).on("line", (line) => {
      const message = JSON.parse(line);
      if (typeof message.event === "string") onEvent(message.event);
      const waiting = this.#waiting.get(message.id);
      this.#waiting.delete(message.id);
      if (message.error !== undefined) waiting?.reject(new Error(`QMP: ${message.error.desc}`));
      else waiting?.resolve(message.return);
    });
  }

  /** @param {string} name @param {Record<string, unknown>} [args] @returns {Promise<unknown>} */
  send(name, args) {
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      if (this.#socket.destroyed) {
        reject(new Error("QEMU is gone"));
        return;
      }
      this.#waiting.set(id, { resolve, reject });
      this.#socket.write(
        `${JSON.stringify({ execute: name, id, ...(args === undefined ? {} : { arguments: args }) })}\n`,
      );
    });
  }
}

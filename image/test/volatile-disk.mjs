// A disk with a cache that a power cut empties: an NBD server (NetworkBlockDevice/nbd, doc/proto.md: fixed newstyle) over a Unix socket. A write is
// acknowledged when it is in memory; what the guest flushes, and what it writes through (FUA), reaches the file. At `cut` of the rest each
// 4 KiB block is written or lost at random, as a disk that writes in its own order leaves it.
import { closeSync, fstatSync, openSync, readSync, writeSync } from "node:fs";
import { createServer } from "node:net";
import { ByteQueue } from "./byte-queue.mjs";

const BLOCK = 4096;
const MAGIC = 0x4e42444d41474943n;
const OPTION_MAGIC = 0x49484156454f5054n;
const REPLY_MAGIC = 0x3e889045565a9n;
const OPTION = { abort: 2, go: 7 };
const FLAGS = 0b1 | 0b100 | 0b1000; // has flags, takes flushes, takes FUA
const REQUEST = { read: 0, write: 1, disconnect: 2, flush: 3 };
const FUA = 1;

/** One disk; `socket` is what QEMU opens: `nbd+unix:///?socket=PATH`. */
export class VolatileDisk {
  /** Since the start, in bytes. */
  written = 0;
  flushes = 0;
  socket;
  #fd;
  #size;
  /** Blocks that were written and not flushed. @type {Map<number, Buffer>} */
  #pending = new Map();
  #server;
  /** @type {Set<import("node:net").Socket>} */
  #clients = new Set();

  /** @param {string} file raw @param {string} socket */
  constructor(file, socket) {
    this.socket = socket;
    this.#fd = openSync(file, "r+");
    this.#size = fstatSync(this.#fd).size;
    this.#server = createServer((client) => {
      this.#clients.add(client);
      client.on("error", () => {}).on("close", () => this.#clients.delete(client));
      this.#serve(client).catch(() => client.destroy());
    });
  }

  /** @returns {Promise<void>} */
  listen() {
    return new Promise((resolve) => this.#server.listen(this.socket, resolve));
  }

  get url() {
    return `nbd+unix:///?socket=${this.socket}`;
  }

  /** Blocks that a power cut now would put at risk. */
  get atRisk() {
    return this.#pending.size;
  }

  /** The power fails: call it when QEMU is gone. @param {() => number} random 0 to 1 @returns {{kept: number, lost: number}} */
  cut(random) {
    let [kept, lost] = [0, 0];
    for (const [block, bytes] of this.#pending) {
      if (random() < 0.5) {
        writeSync(this.#fd, bytes, 0, bytes.length, block * BLOCK);
        kept += 1;
      } else lost += 1;
    }
    this.#pending.clear();
    return { kept, lost };
  }

  close() {
    this.#flush();
    for (const client of this.#clients) client.destroy();
    this.#server.close();
    closeSync(this.#fd);
  }

  /** @param {import("node:net").Socket} client */
  async #serve(client) {
    const queue = new ByteQueue(client);
    const hello = Buffer.alloc(18);
    hello.writeBigUInt64BE(MAGIC, 0);
    hello.writeBigUInt64BE(OPTION_MAGIC, 8);
    hello.writeUInt16BE(0b11, 16);
    client.write(hello);
    await queue.take(4);
    if (!(await this.#negotiate(client, queue))) return;
    for (;;) {
      const head = await queue.take(28);
      const [flags, type] = [head.readUInt16BE(4), head.readUInt16BE(6)];
      const [at, length] = [Number(head.readBigUInt64BE(16)), head.readUInt32BE(24)];
      const reply = Buffer.alloc(16);
      reply.writeUInt32BE(0x67446698, 0);
      head.copy(reply, 8, 8, 16);
      if (type === REQUEST.disconnect) return void client.end();
      if (type === REQUEST.read) client.write(Buffer.concat([reply, this.#read(at, length)]));
      else {
        if (type === REQUEST.write) this.#write(at, await queue.take(length));
        if (type === REQUEST.flush || (flags & FUA) !== 0) this.#flush();
        client.write(reply);
      }
    }
  }

  /** @param {import("node:net").Socket} client @param {ByteQueue} queue @returns {Promise<boolean>} */
  async #negotiate(client, queue) {
    for (;;) {
      const head = await queue.take(16);
      const option = head.readUInt32BE(8);
      await queue.take(head.readUInt32BE(12));
      const reply = (/** @type {number} */ type, /** @type {Buffer} */ body) => {
        const header = Buffer.alloc(20);
        header.writeBigUInt64BE(REPLY_MAGIC, 0);
        header.writeUInt32BE(option, 8);
        header.writeUInt32BE(type, 12);
        header.writeUInt32BE(body.length, 16);
        client.write(Buffer.concat([header, body]));
      };
      if (option === OPTION.go) {
        const info = Buffer.alloc(12);
        info.writeBigUInt64BE(BigInt(this.#size), 2);
        info.writeUInt16BE(FLAGS, 10);
        reply(3, info);
        reply(1, Buffer.alloc(0));
        return true;
      }
      reply(option === OPTION.abort ? 1 : 0x80000001, Buffer.alloc(0));
      if (option === OPTION.abort) return false;
    }
  }

  /** @param {number} at @param {number} length */
  #read(at, length) {
    const bytes = Buffer.alloc(length);
    readSync(this.#fd, bytes, 0, length, at);
    for (let block = Math.floor(at / BLOCK); block * BLOCK < at + length; block += 1) {
      const pending = this.#pending.get(block);
      if (pending === undefined) continue;
      const from = Math.max(at, block * BLOCK);
      pending.copy(
        bytes,
        from - at,
        from - block * BLOCK,
        Math.min(BLOCK, at + length - block * BLOCK),
      );
    }
    return bytes;
  }

  /** @param {number} at @param {Buffer} bytes */
  #write(at, bytes) {
    this.written += bytes.length;
    for (let block = Math.floor(at / BLOCK); block * BLOCK < at + bytes.length; block += 1) {
      const whole = this.#pending.get(block) ?? this.#onDisk(block);
      const from = Math.max(at, block * BLOCK);
      bytes.copy(
        whole,
        from - block * BLOCK,
        from - at,
        Math.min(bytes.length, (block + 1) * BLOCK - at),
      );
      this.#pending.set(block, whole);
    }
  }

  /** @param {number} block */
  #onDisk(block) {
    const bytes = Buffer.alloc(BLOCK);
    readSync(this.#fd, bytes, 0, BLOCK, block * BLOCK);
    return bytes;
  }

  #flush() {
    this.flushes += 1;
    for (const [block, bytes] of this.#pending)
      writeSync(this.#fd, bytes, 0, bytes.length, block * BLOCK);
    this.#pending.clear();
  }
}

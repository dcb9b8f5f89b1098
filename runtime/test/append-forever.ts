import { openJournal } from "../audit/journal.js";
import { entropy, note } from "./journal-fixture.js";

/**
 * A process to be killed: appends without end from several sides to the database named by its first argument, and writes the number of each
 * event that was acknowledged to its standard output, one a line.
 */
const [, , path = ""] = process.argv;
const journal = await openJournal({ path, entropy, redact: (text) => text });

async function appendForever(name: number): Promise<never> {
  for (let count = 0; ; count++) {
    const stored = await journal.append([note(`${name} ${count}`), note("x".repeat(500))]);
    for (const event of stored) process.stdout.write(`${event.seq} ${event.id}\n`);
  }
}

await Promise.all([1, 2, 3, 4, 5, 6, 7, 8].map(appendForever));

import { type MessagePort, parentPort, workerData } from "node:worker_threads";
import { assertNever } from "../base/assert-never.js";
import { errorText } from "../base/error-text.js";
import { openDatabase } from "../store/open.js";
import { openMemoryIndex } from "../store/open-memory-index.js";
import { traceFinder } from "./find-traces.js";
import type {
  IndexRequest,
  IndexStatus,
  IndexThreadData,
  NumberedAnswer,
  NumberedRequest,
} from "./index-protocol.js";
import { memorySearch } from "./search.js";
import { indexSync } from "./sync-index.js";
import { vectorTables } from "./vectors.js";

/** The main of the thread that owns the search index. Opening that fails ends the thread with the error. */
function main(port: MessagePort, { database, index: indexPath }: IndexThreadData): void {
  const source = openDatabase(database, { readonly: true });
  const { db: index, noVectors } = openMemoryIndex(indexPath);
  const vectors = noVectors === null ? vectorTables(index) : null;
  const sync = indexSync(source, index);
  const search = memorySearch(source, index, vectors);
  const traces = traceFinder(source);
  const content = source.prepare<[string], { content: string }>(
    "SELECT content FROM memories WHERE memory_id = ?",
  );
  const memoryId = index.prepare<[number], { memory_id: string }>(
    "SELECT memory_id FROM entries WHERE entry_id = ?",
  );
  const count = (table: "entries" | "vectors") =>
    index.prepare<[], { n: number }>(`SELECT count(*) AS n FROM ${table}`).get()?.n ?? 0;
  const status = (): IndexStatus => ({
    entries: count("entries"),
    vectors: count("vectors"),
    model:
      index.prepare<[], { value: string }>("SELECT value FROM meta WHERE key = 'model'").get()
        ?.value ?? null,
    no_vectors: noVectors,
  });
  const answer = (request: IndexRequest): unknown => {
    switch (request.type) {
      case "search":
        return search(request);
      case "pending":
        return (vectors?.withoutVector(request.model, request.limit) ?? []).flatMap((entry_id) => {
          const found = content.get(memoryId.get(entry_id)?.memory_id ?? "");
          return found === undefined ? [] : [{ entry_id, content: found.content }];
        });
      case "embedded":
        vectors?.put(request.model, request.vectors);
        return null;
      case "traces":
        return traces(request);
      case "status":
        return status();
      case "close":
        index.close();
        source.close();
        port.close();
        return null;
      default:
        return assertNever(request);
    }
  };
  port.on("message", ({ id, ...request }: NumberedRequest) => {
    const send = (outcome: NumberedAnswer) => port.postMessage(outcome);
    try {
      if (request.type !== "close") sync();
      send({ id, ok: true, value: answer(request) });
    } catch (thrown) {
      send({ id, ok: false, message: errorText(thrown) });
    }
  });
}

if (parentPort !== null) main(parentPort, workerData as IndexThreadData);

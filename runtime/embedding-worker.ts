#!/usr/bin/env node
// The confined process of the local embedding model: turns texts into vectors, line by line, and has neither files nor a network.
// Its packages come in a Debian package of their own, `aaos-embeddings`, so their names are data here.
import { serveEmbeddings } from "./sandbox/serve-embeddings.js";

interface Model {
  readonly embed: (texts: string[]) => Promise<number[][]>;
}
interface Embeddings {
  readonly initModel: (source: unknown) => Promise<Model>;
}

const [library = "", weights = ""] = process.argv.slice(2);
const { initModel } = (await import(library)) as Embeddings;
const { modelSource } = (await import(weights)) as { readonly modelSource: unknown };
const model = await initModel(modelSource);
await serveEmbeddings(process.stdin, process.stdout, (text) => model.embed([text]));

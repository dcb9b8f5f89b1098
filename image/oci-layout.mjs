#!/usr/bin/env node
// oci-layout.mjs LAYER_TAR DIR SECONDS: an OCI image layout (image-spec 1.0) of one layer, dated by the argument. Every blob is named by
// its digest.
import { createHash } from "node:crypto";
import { createReadStream, createWriteStream } from "node:fs";
import { mkdir, readFile, rename, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";

const [layerTar = "", dir = "", seconds = "0"] = process.argv.slice(2);
const blobs = join(dir, "blobs/sha256");
const created = new Date(Number(seconds) * 1000).toISOString();
const { version } = JSON.parse(
  await readFile(join(import.meta.dirname, "../package.json"), "utf8"),
);
const architecture = process.arch === "x64" ? "amd64" : process.arch;

/** @param {string} file */
async function digestOf(file) {
  const hash = createHash("sha256");
  await pipeline(createReadStream(file), hash);
  return `sha256:${hash.digest("hex")}`;
}

/** Puts a file among the blobs. @param {string} file @param {string} mediaType */
async function keepFile(file, mediaType) {
  const [digest, { size }] = await Promise.all([digestOf(file), stat(file)]);
  await rename(file, join(blobs, digest.slice("sha256:".length)));
  return { mediaType, digest, size };
}

/** @param {object} value @param {string} mediaType */
async function keepJson(value, mediaType) {
  const file = join(dir, "part");
  await writeFile(file, JSON.stringify(value));
  return keepFile(file, mediaType);
}

await mkdir(blobs, { recursive: true });
const packed = join(dir, "layer.gz");
// zlib writes no name and no date of its own.
await pipeline(createReadStream(layerTar), createGzip({ level: 6 }), createWriteStream(packed));
const diffId = await digestOf(layerTar);
const layer = await keepFile(packed, "application/vnd.oci.image.layer.v1.tar+gzip");
const config = await keepJson(
  {
    created,
    architecture,
    os: "linux",
    config: {
      User: "aaos",
      Env: ["PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/tmp", "LANG=C.UTF-8"],
      Entrypoint: ["/usr/lib/aaos/container-entry"],
      WorkingDir: "/var/lib/aaos",
      Volumes: { "/data": {}, "/output": {} },
      Labels: {
        "org.opencontainers.image.title": "aaOS",
        "org.opencontainers.image.version": version,
      },
    },
    rootfs: { type: "layers", diff_ids: [diffId] },
    history: [{ created, created_by: "image/build oci" }],
  },
  "application/vnd.oci.image.config.v1+json",
);
const manifestType = "application/vnd.oci.image.manifest.v1+json";
const manifest = await keepJson(
  { schemaVersion: 2, mediaType: manifestType, config, layers: [layer] },
  manifestType,
);
const index = {
  schemaVersion: 2,
  manifests: [{ ...manifest, annotations: { "org.opencontainers.image.ref.name": "aaos:latest" } }],
};
await writeFile(join(dir, "index.json"), JSON.stringify(index));
await writeFile(join(dir, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');

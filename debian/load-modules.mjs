// load-modules.mjs DIR: loads every production dependency and the native parts from an installed tree; fails where one is missing.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const dir = process.argv[2];
const require = createRequire(join(dir, "package.json"));
const { dependencies } = JSON.parse(readFileSync(join(dir, "package.json"), "utf8"));
for (const name of Object.keys(dependencies)) require(name);
require("./native/aaos.node");
const Database = require("better-sqlite3");
const [row] = new Database(":memory:").prepare("select sqlite_version() as version").all();
console.log(`${Object.keys(dependencies).length} modules load; SQLite ${row.version}`);

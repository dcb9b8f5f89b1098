// Standard input of Node in an installed tree: loads every production dependency and the native parts; fails where one is missing.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { resolve } from "node:path";

const require = createRequire(resolve("package.json"));
const { dependencies } = JSON.parse(readFileSync("package.json", "utf8"));
for (const name of Object.keys(dependencies)) await import(name);
require("./native/aaos.node");
const Database = require("better-sqlite3");
const db = new Database(":memory:");
require("sqlite-vec").load(db);
const [row] = db.prepare("select sqlite_version() as version, vec_version() as vectors").all();
console.log(`${Object.keys(dependencies).length} modules load; SQLite ${row.version}, vectors ${row.vectors}`);

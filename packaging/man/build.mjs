// build.mjs DIR: writes every man page into DIR, from the Markdown beside this file, the schemas and the command line of dist/.
// A line `<!-- fields SCHEMA -->` has the text of each field behind it; type and default come from the schema. `--check` writes
// nothing and fails where a field has no text or a text has no field.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { readSources } from "./sources.mjs";
import { describe, fieldsOf } from "./fields.mjs";
import { manPage } from "./roff.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const [target] = process.argv.slice(2);
if (target === undefined) {
  process.stderr.write("usage: build.mjs DIR|--check\n");
  process.exit(2);
}
const { schemas, tree, errors, version } = await readSources(join(here, "../../dist"));
const problems = [];

/** `## Settings` … with the schema's word on each field put before its text. */
function withFields(markdown, page) {
  return markdown.replace(/^<!-- fields (\w+) -->\n([\s\S]*?)(?=^## |^<!-- |$(?![\s\S]))/gm, (_all, name, block) => {
    const schema = schemas[name];
    if (schema === undefined) throw new Error(`${page}: no schema ${name}`);
    const texts = new Map([...block.matchAll(/^`([^`]+)`\n: (.*(?:\n {2}.*)*)/gm)].map(([, field, text]) => [field, text]));
    const fields = fieldsOf(schema);
    for (const { path } of fields) if (!texts.has(path)) problems.push(`${page}: ${name}.${path} has no text`);
    for (const field of texts.keys()) if (!fields.some(({ path }) => path === field)) problems.push(`${page}: ${name} has no field ${field}`);
    return `${fields.map((field) => `\`${field.path}\`\n: (${describe(field)})\n  ${(texts.get(field.path) ?? "").replace(/\n {2}/g, "\n  ")}`.trimEnd()).join("\n\n")}\n\n`;
  });
}

/** Every verb with its arguments and options. */
function commandText(command, path = []) {
  const words = [...path, command.name];
  const typed = command.arguments.map(({ name, required, variadic }) => {
    const dots = variadic ? "..." : "";
    return required ? `*${name}*${dots}` : `[*${name}*${dots}]`;
  });
  if (command.commands.length > 0) return command.commands.map((each) => commandText(each, words)).join("\n\n");
  const notes = command.arguments.filter(({ description }) => description !== "").map(({ name, description }) => `  *${name}*: ${description}.`);
  const options = command.options.map(({ flags, description }) => `  \`${flags}\`: ${description}.`);
  return [[`\`${words.join(" ")}\``, ...typed].join(" "), `: ${sentence(command.description)}`, ...notes, ...options].join("\n");
}

function sentence(text) {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

function whole(markdown, page) {
  const commands = tree.commands.map((command) => commandText(command)).join("\n\n");
  const globals = tree.options.map(({ flags, description }) => `\`${flags}\`\n: ${sentence(description)}`).join("\n\n");
  const codes = Object.entries(errors).map(([code, { exit, hint }]) => `\`${code}\` (${exit})\n: ${hint}`).join("\n\n");
  return withFields(markdown, page)
    .replace("<!-- commands -->", () => commands)
    .replace("<!-- options -->", () => globals)
    .replace("<!-- errors -->", () => codes);
}

const sources = readdirSync(here).filter((name) => name.endsWith(".md")).sort();
const epoch = Number(process.env.SOURCE_DATE_EPOCH ?? Date.now() / 1000) * 1000;
const date = new Date(epoch).toISOString().slice(0, 10);
if (target !== "--check") mkdirSync(target, { recursive: true });
for (const source of sources) {
  const page = source.slice(0, -3);
  const text = manPage(whole(readFileSync(join(here, source), "utf8"), page), { date, version });
  if (target !== "--check") writeFileSync(join(target, page), text);
}
if (problems.length > 0) {
  process.stderr.write(`${problems.join("\n")}\n`);
  if (target === "--check") process.exit(1);
}

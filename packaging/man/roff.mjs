// Markdown as the pages beside this file use it, to man(7): headings, paragraphs, `code`, **bold**, *italic*, lists with `- `,
// terms with `: ` below them, code indented by four spaces, tables of two columns as terms.

/** Text that roff reads as it is. A dot or a quote at the beginning of a line would be a request. */
function escaped(text) {
  return text.replace(/\\/g, "\\e").replace(/-/g, "\\-").replace(/^([.'])/, "\\&$1").replace(/~/g, "\\(ti").replace(/\^/g, "\\(ha");
}

function inline(text) {
  return text
    .split(/(`[^`]+`|\*\*[^*]+\*\*|\*[^*\s][^*]*\*)/)
    .map((part, index) => {
      if (index % 2 === 0) return escaped(part);
      if (part.startsWith("`")) return `\\fB${escaped(part.slice(1, -1)).replace(/^\\&/, "")}\\fR`;
      if (part.startsWith("**")) return `\\fB${escaped(part.slice(2, -2))}\\fR`;
      return `\\fI${escaped(part.slice(1, -1))}\\fR`;
    })
    .join("")
    .replace(/^([.'])/, "\\&$1");
}

/** A page; the first line of `markdown` is `# NAME SECTION "what it is about"`. */
export function manPage(markdown, { date, version }) {
  const [first, ...rest] = markdown.split("\n");
  const title = /^# (\S+) (\d) "(.*)"$/.exec(first);
  if (title === null) throw new Error(`no title: ${first}`);
  const [, name, section, manual] = title;
  const out = [`.TH ${escaped(name.toUpperCase())} ${section} "${date}" "aaOS ${version}" "${manual}"`, ".nh", ".ad l"];
  for (const block of blocksOf(rest)) out.push(...rendered(block));
  return `${out.join("\n")}\n`;
}

/** Blocks are parted by blank lines; indented code may hold them. */
function blocksOf(lines) {
  const blocks = [];
  let block = [];
  for (const line of [...lines, ""]) {
    const isCode = block[0]?.startsWith("    ") === true;
    if (line.trim() === "" && !isCode) {
      if (block.length > 0) blocks.push(block);
      block = [];
    } else if (isCode && !line.startsWith("    ") && line !== "") {
      blocks.push(block);
      block = [line];
    } else if (isCode || line.trim() !== "") block.push(line);
  }
  if (block.length > 0) blocks.push(block);
  return blocks;
}

function rendered(block) {
  const [first] = block;
  if (first.startsWith("## ")) return [`.SH ${escaped(first.slice(3).toUpperCase())}`, ...(block.length > 1 ? rendered(block.slice(1)) : [])];
  if (first.startsWith("### ")) return [`.SS ${escaped(first.slice(4))}`, ...(block.length > 1 ? rendered(block.slice(1)) : [])];
  if (first.startsWith("    ")) {
    const code = block.map((line) => line.slice(4));
    while (code.at(-1) === "") code.pop();
    return [".PP", ".RS 4", ".nf", ...code.map((line) => (line === "" ? "" : escaped(line)).replace(/^$/, "\\&")), ".fi", ".RE"];
  }
  if (block.some((line) => line.startsWith(": "))) return terms(block);
  if (first.startsWith("- ")) return bullets(block);
  return [".PP", ...sentence(block)];
}

function sentence(lines) {
  return [inline(lines.map((line) => line.trim()).join(" "))];
}

function terms(block) {
  const out = [];
  for (const line of block) {
    if (line.startsWith(": ")) out.push(inline(line.slice(2)));
    else if (line.startsWith("  ")) out.push(".br", inline(line.trim()));
    else out.push(".TP", inline(line));
  }
  return out;
}

function bullets(block) {
  const items = block.join("\n").split(/^- /m).slice(1);
  return items.flatMap((item) => [".IP \\(bu 2", ...sentence(item.trim().split("\n"))]);
}

// What models, pages and file names say may hold escape sequences that a terminal would obey: to set its title, to rewrite what
// was printed, to hide or reverse text. Nothing of the kind gets through here.

// CSI, OSC and the string sequences (DCS, SOS, PM, APC), each as ESC or as its one-character C1 form; then any other escape.
const SEQUENCES =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is removed
  /(?:\u001b\[|\u009b)[0-?]*[ -/]*[@-~]?|(?:\u001b[\]PX^_]|[\u009d\u0090\u0098\u009e\u009f])[^\u0007\u001b\u009c]*(?:\u0007|\u001b\\|\u009c)?|\u001b[ -/]*[0-~]?/g;
// C0 but tab and newline, DEL, C1, marks that reorder or hide text, line and paragraph separators, tags.
const UNSAFE =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is removed
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb\u{e0000}-\u{e007f}]/gu;
const LONE_SURROGATE = /\p{Surrogate}/gu;

/** `text` as it may go to a terminal: newlines and tabs stay, every other control and escape sequence is gone. */
export function plainText(text: string): string {
  return text
    .replace(/\r\n?/g, "\n")
    .replace(SEQUENCES, "")
    .replace(UNSAFE, "")
    .replace(LONE_SURROGATE, "\ufffd");
}

/** The same in one line: runs of white space become one space. */
export function plainLine(text: string): string {
  return plainText(text).replace(/\s+/g, " ").trim();
}

/** JSON in one line that a terminal prints as it stands: what JSON leaves raw but a terminal may obey is escaped. */
export function jsonLine(value: unknown): string {
  return JSON.stringify(value).replace(
    /[\u007f-\u009f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

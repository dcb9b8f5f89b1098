/** Less than 0 where `a` is older than `b`, as Debian orders upstream versions: numbers by value, `~` before everything. Pure. */
export function compareVersions(a: string, b: string): number {
  let [restA, restB] = [a, b];
  while (restA !== "" || restB !== "") {
    const [textA, afterA] = split(restA, /^\D*/);
    const [textB, afterB] = split(restB, /^\D*/);
    const byText = compareText(textA, textB);
    if (byText !== 0) return byText;
    const [numberA, nextA] = split(afterA, /^\d*/);
    const [numberB, nextB] = split(afterB, /^\d*/);
    const byNumber = BigInt(numberA || "0") - BigInt(numberB || "0");
    if (byNumber !== 0n) return byNumber < 0n ? -1 : 1;
    [restA, restB] = [nextA, nextB];
  }
  return 0;
}

function split(text: string, head: RegExp): readonly [string, string] {
  const length = head.exec(text)?.[0].length ?? 0;
  return [text.slice(0, length), text.slice(length)];
}

/** `~` first, then the end, then letters, then the rest: deb-version(7). */
function compareText(a: string, b: string): number {
  for (let at = 0; at < Math.max(a.length, b.length); at += 1) {
    const order = weight(a[at]) - weight(b[at]);
    if (order !== 0) return order < 0 ? -1 : 1;
  }
  return 0;
}

function weight(char: string | undefined): number {
  if (char === "~") return -1;
  if (char === undefined) return 0;
  const code = char.charCodeAt(0);
  return /[A-Za-z]/.test(char) ? code : code + 256;
}

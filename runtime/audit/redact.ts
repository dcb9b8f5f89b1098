const MASK = "[redacted]";
/** A shorter secret would blank ordinary words; credentials have at least 10 characters. */
const MIN_SECRET_CHARS = 6;

/**
 * Well-known shapes of keys. Each begins with something fixed and is bounded or stops at a character that it cannot hold, so that
 * a long text costs linear time. What stands in `keep` stays readable.
 */
const SHAPES: readonly RegExp[] = [
  // Private key blocks, also where the line breaks are escaped, also where the end is missing.
  /-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY-----(?:(?!-----)[\s\S])*(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY-----)?/g,
  /(?<keep>\b(?:Bearer|Basic)\s{1,4})[A-Za-z0-9._~+/=-]{8,}/gi,
  /\bsk-[A-Za-z0-9_-]{16,}/g,
  /\bgh[pousr]_[A-Za-z0-9]{20,}/g,
  /\bgithub_pat_[A-Za-z0-9_]{20,}/g,
  /\bglpat-[A-Za-z0-9_-]{20,}/g,
  /\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/g,
  /\bAIza[A-Za-z0-9_-]{35}/g,
  /\bxox[abeoprs]-[A-Za-z0-9-]{10,}/g,
  /\bnpm_[A-Za-z0-9]{36}/g,
  /\beyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}/g,
  // user:password@ of a URL.
  /(?<keep>:\/\/[^\s:/?#@"'\\]{0,100}:)[^\s/?#@"'\\]{1,200}(?=@)/g,
  // password=…, "api_key": "…", also inside escaped JSON.
  /(?<keep>(?:password|passwd|passphrase|secret|api[_-]?key|access[_-]?token|auth[_-]?token|client[_-]?secret)\\?["']?\s{0,3}[=:]\s{0,3}\\?["']?)[^\s"'\\,;&(){}<>[\]]{4,}/gi,
];

/**
 * Makes the function that blanks secrets in a text: each of `secrets` as it is, as JSON, URL, hex and base64 write it (base64 also
 * inside a longer encoding), and whatever has the well-known shape of a key. The last net, not the first.
 */
export function makeRedactor(secrets: readonly string[]): (text: string) => string {
  const known = knownForms(secrets);
  return (text) => {
    let clean = known === undefined ? text : text.replace(known, MASK);
    for (const shape of SHAPES) clean = clean.replace(shape, maskKeeping);
    return clean;
  };
}

function maskKeeping(...match: readonly unknown[]): string {
  const groups = match.at(-1);
  if (typeof groups !== "object" || groups === null || !("keep" in groups)) return MASK;
  return `${String(groups.keep)}${MASK}`;
}

/** One expression for all forms of all secrets, longest first, so that no part of one stays behind. */
function knownForms(secrets: readonly string[]): RegExp | undefined {
  const forms = new Set(
    secrets
      .map((s) => s.trim())
      .filter(longEnough)
      .flatMap(formsOf),
  );
  const sorted = [...forms].filter(longEnough).sort((a, b) => b.length - a.length);
  return sorted.length === 0 ? undefined : new RegExp(sorted.map(escapeRegExp).join("|"), "g");
}

function longEnough(text: string): boolean {
  return text.length >= MIN_SECRET_CHARS;
}

function formsOf(secret: string): readonly string[] {
  const bytes = Buffer.from(secret, "utf8");
  const hex = bytes.toString("hex");
  const url = encodeURIComponent(secret);
  return [
    secret,
    JSON.stringify(secret).slice(1, -1),
    JSON.stringify(JSON.stringify(secret)).slice(3, -3),
    url,
    url.replace(/%[0-9A-F]{2}/g, (escaped) => escaped.toLowerCase()),
    hex,
    hex.toUpperCase(),
    ...[0, 1, 2].flatMap((shift) => base64Forms(bytes, shift)),
  ];
}

/** The characters of a base64 text that depend on nothing but the secret, where it begins `shift` bytes after a group of three. */
function base64Forms(bytes: Buffer, shift: number): readonly string[] {
  const padded = Buffer.concat([Buffer.alloc(shift), bytes]);
  const first = Math.ceil((shift * 8) / 6);
  const last = Math.floor((padded.length * 8) / 6);
  return [
    padded.toString("base64").slice(first, last),
    padded.toString("base64url").slice(first, last),
  ];
}

function escapeRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/-]/g, "\\$&");
}

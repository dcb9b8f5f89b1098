const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const TIME_CHARS = 10;
const RANDOM_BYTES = 10;

/** 26 characters of Crockford base 32: 48 bits of time in ms, then 80 random bits. Source: github.com/ulid/spec. */
export const ULID_PATTERN = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/;

/** Where time and randomness come from; passed in, so that tests can choose both. */
export interface Entropy {
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** `count` random bytes. */
  readonly randomBytes: (count: number) => Uint8Array;
}

/** A new ULID. Two of the same millisecond are ordered at random. */
export function ulid(entropy: Entropy): string {
  return encodeTime(entropy.now()) + encodeRandom(entropy.randomBytes(RANDOM_BYTES));
}

function encodeTime(timeMs: number): string {
  let rest = Math.floor(timeMs);
  let text = "";
  for (let i = 0; i < TIME_CHARS; i++) {
    text = ALPHABET.charAt(rest % 32) + text;
    rest = Math.floor(rest / 32);
  }
  return text;
}

function encodeRandom(bytes: Uint8Array): string {
  let bits = 0n;
  for (const byte of bytes) bits = (bits << 8n) | BigInt(byte);
  let text = "";
  for (let shift = 75n; shift >= 0n; shift -= 5n)
    text += ALPHABET.charAt(Number((bits >> shift) & 31n));
  return text;
}

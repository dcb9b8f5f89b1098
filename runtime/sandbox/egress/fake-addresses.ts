/** 127.1.0.0/16 without its first and last address: all of 127/8 is local in any network namespace. */
const PREFIX = "127.1.";
const MAX_NAMES = 65_534;

/** Which name stands behind which address of one sandbox: what its DNS stub answered, its capture listeners look up. */
export interface FakeAddresses {
  /** The name's address, always the same one; undefined once all are given away. */
  readonly addressOf: (name: string) => string | undefined;
  readonly nameOf: (address: string) => string | undefined;
}

export function fakeAddresses(): FakeAddresses {
  const byName = new Map<string, string>();
  const byAddress = new Map<string, string>();
  return {
    addressOf: (name) => {
      const known = byName.get(name);
      if (known !== undefined || byName.size === MAX_NAMES) return known;
      const number = byName.size + 1;
      const address = `${PREFIX}${number >> 8}.${number & 255}`;
      byName.set(name, address);
      byAddress.set(address, name);
      return address;
    },
    nameOf: (address) => byAddress.get(address),
  };
}

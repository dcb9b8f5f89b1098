/**
 * The vocabulary of the two slots, and every legal change of what the boot chooser reads. `image/boot/grub.cfg` speaks the same
 * words; `chosenSlot` is its rule. Pure.
 */
export const SLOTS = ["A", "B"] as const;
export type Slot = (typeof SLOTS)[number];

export interface SlotState {
  /** May be started at all. */
  readonly ok: boolean;
  /** Starts since it was last found healthy; the chooser counts before it starts. */
  readonly tries: number;
  /** Has been found healthy since it was written. */
  readonly confirmed: boolean;
}

export interface BootState {
  /** The wanted slot first. */
  readonly order: readonly [Slot, Slot];
  readonly slots: Readonly<Record<Slot, SlotState>>;
}

export type BootChange =
  /** The slot is about to be written: nothing may start it. */
  | { readonly type: "writing"; readonly slot: Slot }
  /** It is written, or wanted again: the next start is its. What was proven stays proven. */
  | { readonly type: "wanted"; readonly slot: Slot }
  /** It runs and is well. */
  | { readonly type: "healthy"; readonly slot: Slot }
  /** It has proved to be no good. */
  | { readonly type: "failed"; readonly slot: Slot };

/** Starts that a slot may use up before the other one is taken. */
const TRIES = { pending: 3, confirmed: 6 } as const;

/** A grubenv is exactly this long; all of ours lies in its first 512 bytes, so that one sector holds it and no write can tear it. */
const ENVIRONMENT_BYTES = 1024;
const HEADER = "# GRUB Environment Block\n";
const FRESH: SlotState = { ok: true, tries: 0, confirmed: false };
const EMPTY: SlotState = { ok: false, tries: 0, confirmed: false };

/** A disk whose slot A has just been written. */
export const INITIAL_BOOT_STATE: BootState = {
  order: ["A", "B"],
  slots: { A: FRESH, B: EMPTY },
};

export function otherSlot(slot: Slot): Slot {
  return slot === "A" ? "B" : "A";
}

export function isSlot(text: string): text is Slot {
  return text === "A" || text === "B";
}

export function changeBoot(state: BootState, change: BootChange): BootState {
  switch (change.type) {
    case "writing":
      return withSlot(state, change.slot, EMPTY);
    case "failed":
      return withSlot({ ...state, order: first(otherSlot(change.slot)) }, change.slot, EMPTY);
    case "wanted": {
      const { confirmed } = state.slots[change.slot];
      const order = first(change.slot);
      return withSlot({ ...state, order }, change.slot, { ok: true, tries: 0, confirmed });
    }
    case "healthy":
      return withSlot(state, change.slot, { ok: true, tries: 0, confirmed: true });
  }
}

/** The slot that the chooser starts next, and the state it leaves; `exhausted` where no slot had a try left. */
export function chosenSlot(state: BootState): {
  readonly slot: Slot;
  readonly exhausted: boolean;
  readonly left: BootState;
} {
  const fresh = mapSlots(state, (slot) => ({ ...slot, tries: 0 }));
  const now = firstWithTries(state);
  const later = now === undefined ? firstWithTries(fresh) : undefined;
  const { A, B } = state.slots;
  const slot = now ?? later ?? (B.confirmed && !A.confirmed ? "B" : "A");
  const counted = now === undefined ? fresh : state;
  const tries = counted.slots[slot].tries + 1;
  const left = withSlot(counted, slot, { ...counted.slots[slot], tries });
  return { slot, exhausted: now === undefined, left };
}

/**
 * The slot that the chooser left for the running one: wanted, and with no try left. One that was wanted since the machine was started
 * has all of its tries, and was left by nobody.
 */
export function leftSlot({ order, slots }: BootState, running: Slot): Slot | undefined {
  const [wanted] = order;
  return wanted === running || hasTries(slots[wanted]) ? undefined : wanted;
}

/** The 1024 bytes of the environment block. */
export function renderBootState({ order, slots }: BootState): string {
  const lines = [`ORDER=${order.join(" ")}`];
  for (const name of SLOTS) {
    const { ok, tries, confirmed } = slots[name];
    lines.push(
      `${name}_OK=${ok ? 1 : 0}`,
      `${name}_TRY=${tries}`,
      `${name}_CONF=${confirmed ? 1 : 0}`,
    );
  }
  const text = `${HEADER}${lines.join("\n")}\n`;
  return text.padEnd(ENVIRONMENT_BYTES, "#");
}

/** The state in an environment block; undefined for one that is torn, truncated or says what cannot be. */
export function parseBootState(block: string): BootState | undefined {
  if (block.length !== ENVIRONMENT_BYTES || !block.startsWith(HEADER)) return undefined;
  const entries = new Map<string, string>();
  for (const line of block.slice(HEADER.length).split("\n")) {
    const at = line.indexOf("=");
    if (at > 0) entries.set(line.slice(0, at), line.slice(at + 1));
  }
  const order = entries.get("ORDER")?.split(" ") ?? [];
  const [one = "", two = ""] = order;
  const A = parseSlot(entries, "A");
  const B = parseSlot(entries, "B");
  if (A === undefined || B === undefined || order.length !== 2) return undefined;
  if (!(isSlot(one) && two === otherSlot(one))) return undefined;
  return { order: first(one), slots: { A, B } };
}

function parseSlot(entries: ReadonlyMap<string, string>, name: Slot): SlotState | undefined {
  const [ok, tries, confirmed] = ["OK", "TRY", "CONF"].map((key) => entries.get(`${name}_${key}`));
  if (!isBit(ok) || !isBit(confirmed) || tries === undefined || !/^\d$/.test(tries))
    return undefined;
  return { ok: ok === "1", tries: Number(tries), confirmed: confirmed === "1" };
}

function isBit(text: string | undefined): text is "0" | "1" {
  return text === "0" || text === "1";
}

function first(slot: Slot): readonly [Slot, Slot] {
  return [slot, otherSlot(slot)];
}

function firstWithTries({ order, slots }: BootState): Slot | undefined {
  return order.find((name) => hasTries(slots[name]));
}

function hasTries({ ok, tries, confirmed }: SlotState): boolean {
  return ok && tries < (confirmed ? TRIES.confirmed : TRIES.pending);
}

function withSlot(state: BootState, name: Slot, slot: SlotState): BootState {
  return { ...state, slots: { ...state.slots, [name]: slot } };
}

function mapSlots(state: BootState, change: (slot: SlotState) => SlotState): BootState {
  const { A, B } = state.slots;
  return { ...state, slots: { A: change(A), B: change(B) } };
}

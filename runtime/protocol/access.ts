/** What one call wants to do, on resolved paths and canonical hosts: the question that policy answers. */
export type Access =
  | { readonly kind: "file_read"; readonly path: string }
  | { readonly kind: "file_write"; readonly path: string }
  | { readonly kind: "exec"; readonly program: string; readonly args: readonly string[] }
  | { readonly kind: "network"; readonly host: string; readonly port: number }
  | { readonly kind: "tool"; readonly name: string }
  | { readonly kind: "spawn_child"; readonly role: string }
  | { readonly kind: "cargo_run"; readonly dir: string }
  | { readonly kind: "git_commit"; readonly dir: string }
  | { readonly kind: "message_send"; readonly agent: string };
export type AccessKind = Access["kind"];
export type AccessOf<K extends AccessKind> = Extract<Access, { kind: K }>;

declare const granted: unique symbol;

/**
 * Proof that a check was made and passed. Only `policy/decide.ts` makes one; the ports take nothing else, so a tool that
 * forgets to ask does not compile.
 */
export type Granted<K extends AccessKind> = AccessOf<K> & { readonly [granted]: true };

/** Who refused: the token set, the operator's ceiling, the kernel around the worker, or the egress proxy. */
export type DenialLayer = "token" | "policy" | "kernel" | "egress";

/** A refusal that helps: what was refused, by which layer, and the capability that would have allowed it. */
export interface Denial {
  readonly layer: DenialLayer;
  readonly message: string;
  /** In the written form (`file_read: /data/x.md`); absent where no grant can ever allow it. */
  readonly capability?: string;
}

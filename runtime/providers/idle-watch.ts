/** Ends a try that is cancelled from outside or that gets no byte for too long. Whoever starts it stops it. */
export interface IdleWatch {
  /** Aborts on either; give it to whatever waits. */
  readonly signal: AbortSignal;
  /** A byte came. */
  readonly touch: () => void;
  readonly ended: () => "timeout" | "cancelled" | undefined;
  /** Releases the timer and closes whatever still hangs on `signal`. */
  readonly stop: () => void;
}

export function startIdleWatch(outer: AbortSignal, timeoutMs: number): IdleWatch {
  const controller = new AbortController();
  let reason: "timeout" | "cancelled" | undefined;
  const end = (why: "timeout" | "cancelled"): void => {
    reason ??= why;
    controller.abort();
  };
  const onAbort = (): void => end("cancelled");
  const timer = setTimeout(() => end("timeout"), timeoutMs);
  if (outer.aborted) onAbort();
  else outer.addEventListener("abort", onAbort, { once: true });
  return {
    signal: controller.signal,
    touch: () => void timer.refresh(),
    ended: () => reason,
    stop: () => {
      clearTimeout(timer);
      outer.removeEventListener("abort", onAbort);
      controller.abort();
    },
  };
}

/** `inner`, telling `touch` of the answer's head and of each chunk of its body; a keep-alive comment counts as well. */
export function watchedFetch(inner: typeof fetch, touch: () => void): typeof fetch {
  return async (input, init) => {
    const response = await inner(input, init);
    touch();
    if (response.body === null) return response;
    const body = response.body.pipeThrough(
      new TransformStream<Uint8Array, Uint8Array>({
        transform: (chunk, out) => {
          touch();
          out.enqueue(chunk);
        },
      }),
    );
    return new Response(body, { status: response.status, headers: response.headers });
  };
}

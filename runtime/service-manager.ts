/** What the process was started with: `$NOTIFY_SOCKET`, `$WATCHDOG_USEC`, `$WATCHDOG_PID`; all of them empty outside of systemd. */
export interface NotifyEnvironment {
  readonly socket: string | undefined;
  readonly watchdogUsec: string | undefined;
  readonly watchdogPid: string | undefined;
}

/** The service manager as it hears of us; nothing of it fails where there is none. */
export interface ServiceManager {
  /** Started, or done with a reload. From the first call on the watchdog is fed while the event loop turns. */
  readonly ready: (status: string) => void;
  /** One line for `systemctl status`. */
  readonly status: (text: string) => void;
  readonly reloading: () => void;
  readonly stopping: (status: string) => void;
  /** Ends the watchdog's timer. */
  readonly close: () => void;
}

interface Options {
  readonly environment: NotifyEnvironment;
  readonly pid: number;
  /** CLOCK_MONOTONIC in nanoseconds. */
  readonly monotonicNs: () => bigint;
  readonly send: (path: string, text: string) => boolean;
}

/** sd_notify(3): datagrams of `NAME=value` lines, sent by this very process, so that `NotifyAccess=main` is enough. */
export function openServiceManager(options: Options): ServiceManager {
  const { environment, monotonicNs } = options;
  let watchdog: NodeJS.Timeout | undefined;
  const tell = (...lines: readonly string[]) => {
    if (environment.socket === undefined || environment.socket === "") return;
    try {
      options.send(environment.socket, lines.join("\n"));
    } catch {
      // It has gone: whoever restarts it asks us to end first. What is said here is never needed for our own work.
    }
  };
  const feed = () => {
    const everyMs = watchdogMs(options);
    if (everyMs === undefined || watchdog !== undefined) return;
    watchdog = setInterval(() => tell("WATCHDOG=1"), everyMs).unref();
  };
  return {
    ready: (status) => {
      tell("READY=1", statusLine(status));
      feed();
    },
    status: (text) => tell(statusLine(text)),
    reloading: () => tell("RELOADING=1", `MONOTONIC_USEC=${monotonicNs() / 1_000n}`),
    stopping: (status) => tell("STOPPING=1", statusLine(status)),
    close: () => clearInterval(watchdog),
  };
}

function statusLine(text: string): string {
  return `STATUS=${text.replace(/[\r\n]+/g, " ")}`;
}

/** A third of the time after which we count as hung: one late turn of the loop is no hang. */
function watchdogMs({ environment, pid }: Options): number | undefined {
  const { watchdogUsec, watchdogPid } = environment;
  const usec = Number(watchdogUsec ?? "0");
  const ours = watchdogPid === undefined || watchdogPid === "" || Number(watchdogPid) === pid;
  return ours && Number.isFinite(usec) && usec > 0
    ? Math.max(1, Math.floor(usec / 3_000))
    : undefined;
}

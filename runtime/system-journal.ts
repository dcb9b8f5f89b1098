import { errorText } from "./base/error-text.js";

const SOCKET = "/run/systemd/journal/socket";
/** Lines held for a journal that is behind; over it the oldest go, and their number is told. */
const MAX_WAITING = 20_000;
const RETRY_MS = 50;

/** Fields of a line by name, in capitals, as systemd.journal-fields(7) has them. MESSAGE is one of them. */
export type JournalFields = Readonly<Record<string, string | number | null | undefined>>;

/** The system's journal; lines arrive in order. `close` gives up on what is still waiting. */
export interface SystemJournal {
  readonly write: (fields: JournalFields) => void;
  readonly close: () => void;
}

/**
 * The native protocol of systemd-journald (systemd.io/JOURNAL_NATIVE_PROTOCOL): a datagram a line, so that `journalctl FIELD=value`
 * finds it. Never waits and never throws: where no journal listens, nothing is written.
 */
export function openSystemJournal(
  send: (path: string, text: string) => boolean,
  socket = SOCKET,
): SystemJournal {
  let waiting: string[] = [];
  let dropped = 0;
  let retry: NodeJS.Timeout | undefined;
  const put = (text: string): boolean => {
    try {
      return send(socket, text);
    } catch (thrown) {
      // No journal here, or a line that it cannot take: waiting mends neither.
      return errorText(thrown) !== "";
    }
  };
  const flush = () => {
    retry = undefined;
    while (waiting[0] !== undefined && put(waiting[0])) waiting.shift();
    if (waiting.length > 0) retry = setTimeout(flush, RETRY_MS).unref();
    else if (dropped > 0) {
      const lost = dropped;
      dropped = 0;
      write({
        MESSAGE: `${lost} lines of the audit trail are missing here: the journal was behind`,
      });
    }
  };
  const write = (fields: JournalFields) => {
    const text = formatEntry(fields);
    if (waiting.length === 0 && put(text)) return;
    waiting.push(text);
    if (waiting.length > MAX_WAITING) {
      dropped += waiting.length - MAX_WAITING / 2;
      waiting = waiting.slice(-MAX_WAITING / 2);
    }
    retry ??= setTimeout(flush, RETRY_MS).unref();
  };
  return { write, close: () => clearTimeout(retry) };
}

/** `FIELD=value` lines. A line break in a value would begin a field of its own, so it becomes a space. */
export function formatEntry(fields: JournalFields): string {
  return Object.entries(fields)
    .flatMap(([name, value]) =>
      value === null || value === undefined
        ? []
        : [`${name}=${String(value).replace(/[\r\n]+/g, " ")}\n`],
    )
    .join("");
}

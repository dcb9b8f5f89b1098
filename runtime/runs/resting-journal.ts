import { LetGo } from "../agent/let-go.js";
import type { Journal } from "../audit/journal.js";
import { AgentdError } from "../protocol/agentd-error.js";

/**
 * The journal as whoever carries out runs and agents has it: where it cannot be written because the disk is full, the work is let go of
 * where it stands, as far as the journal knows, and `onFull` is told; it is taken up again when there is room. Nothing fails for it.
 */
export function restingJournal(journal: Journal, onFull: (reason: string) => void): Journal {
  return {
    ...journal,
    append: async (events) => {
      try {
        return await journal.append(events);
      } catch (thrown) {
        if (!(thrown instanceof AgentdError) || thrown.code !== "disk_full") throw thrown;
        onFull(thrown.message);
        throw new LetGo();
      }
    },
  };
}

import type { Logger } from "pino";
import { command } from "./control/notify/command.js";
import { noticeOf } from "./control/notify/notice.js";
import { sendNotices } from "./control/notify/send-notices.js";
import { webhook } from "./control/notify/webhook.js";
import { networkOf } from "./network-of.js";
import { providerFetch } from "./providers/network.js";
import type { Rooms } from "./rooms.js";

/** Tells whom agentd.yaml names of failed runs and waiting approvals, until it is disposed of. */
export function openNotices({
  config,
  journal,
  reader,
  log,
  path,
}: Pick<Rooms, "config" | "journal" | "reader" | "path"> & {
  readonly log: Pick<Logger, "warn" | "info">;
}): AsyncDisposable {
  const { webhook: url, command: argv } = config.settings.notify ?? {};
  const receivers = [
    ...(url === undefined ? [] : [webhook(url, providerFetch(networkOf(config)))]),
    ...(argv === undefined ? [] : [command(argv, path)]),
  ];
  if (receivers.length === 0) return { [Symbol.asyncDispose]: async () => {} };
  const outboxes = receivers.map((receiver) =>
    sendNotices(receiver, (message, fields) => log.warn(fields, message)),
  );
  const goalOf = (runId: string) => reader.run(runId)?.goal;
  const unsubscribe = journal.subscribe((events) => {
    for (const event of events) {
      const notice = noticeOf(event, goalOf);
      if (notice !== undefined) for (const outbox of outboxes) outbox.put(notice);
    }
  });
  log.info({ receivers: receivers.map(({ name }) => name) }, "failures and approvals are told");
  return {
    [Symbol.asyncDispose]: async () => {
      unsubscribe();
      await Promise.all(outboxes.map((outbox) => outbox.close()));
    },
  };
}

// Owns `heddle history`: the files that were confirmed, and what waits to be.
import { ConfirmedFiles } from "../../host/ledger/confirmed.ts";
import { Deadline, sinceBootMs } from "../../host/ledger/deadline.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit.ts";
import type { ExitCode } from "../exit.ts";
import { openStore } from "../session.ts";

/** Lists them, the latest first. Reads files only, so that it works with and without an agent. */
export async function history(context: Context): Promise<ExitCode> {
  const store = await openStore(context);
  const { confirmed, diagnostics } = await new ConfirmedFiles(store.libFolder).list();
  const pending = await new Deadline(store.runFolder, store.cookie, store.boot).read();
  const leftS = pending && Math.ceil((pending.until - sinceBootMs()) / 1000);
  if (context.options.json) {
    const waits = pending ? { pending: { file: pending.file, by: pending.by, summary: pending.summary, leftS } } : {};
    context.sayJson({ confirmed, ...waits, diagnostics });
    return EXIT.ok;
  }
  context.report(diagnostics);
  if (pending)
    context.say(`     waits ${leftS} s to be confirmed  ${pending.file}: ${pending.summary} (user ${pending.by})`);
  for (const { serial, at, by, file, text, summary } of confirmed) {
    const what = text === undefined ? "everything removed" : file;
    context.say(
      `${String(serial).padStart(4)}  ${at.slice(0, 19).replace("T", " ")}  ${what}: ${summary} (user ${by})`,
    );
  }
  if (!pending && confirmed.length === 0) context.say("Nothing was ever confirmed.");
  return EXIT.ok;
}

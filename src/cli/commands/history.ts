// Owns `heddle history`: the files that were confirmed, and what waits to be.
import { ConfirmedFiles } from "../../host/ledger/confirmed.ts";
import type { Confirmed } from "../../host/ledger/confirmed.ts";
import { Deadline, sinceBootMs } from "../../host/ledger/deadline.ts";
import type { Context } from "../context.ts";
import type { Diagnostic } from "../../model/diagnostic.ts";
import { EXIT } from "../exit.ts";
import type { ExitCode } from "../exit.ts";
import { openStore } from "../session.ts";

/** Lists them, the latest first. Reads files only, so that it works with and without an agent. */
export async function history(context: Context): Promise<ExitCode> {
  const store = await openStore(context);
  const { confirmed, diagnostics: unreadable } = await new ConfirmedFiles(store.libFolder).list();
  const diagnostics = [...unreadable, ...setBack(confirmed)];
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

/** Where a later one, by its number, has an earlier time: numbers tell the order, the clock of the host does not always. */
function setBack(confirmed: readonly Confirmed[]): Diagnostic[] {
  return confirmed.flatMap((later, i): Diagnostic[] => {
    const earlier = confirmed[i + 1];
    if (!earlier || Date.parse(later.at) >= Date.parse(earlier.at)) return [];
    return [
      {
        code: "clock-set-back",
        severity: "note",
        summary: `the clock was set back between ${earlier.serial} and ${later.serial}`,
        detail: "Their times are not in the order in which they were confirmed. Their numbers are.",
      },
    ];
  });
}

// Owns the step from what the host shall have to the files of another manager that make it.
import type { Diagnostic, Outcome } from "../model/diagnostic.ts";
import { hasErrors, inOrderOfLines } from "../model/diagnostic.ts";
import { commonFiles, routingObjects } from "./common.ts";
import type { ExportedFile, ExportFormat, ExportInput } from "./exported.ts";
import { assignHomes } from "./home.ts";
import { lacksInIp } from "./ip-words.ts";
import { exportIfupdown } from "./ifupdown.ts";
import { exportIproute2 } from "./iproute2.ts";
import { exportNetplan } from "./netplan.ts";
import { exportNetworkd } from "./networkd.ts";
import { lacksInNetworkd } from "./networkd-words.ts";
import { exportNetworkManager } from "./networkmanager.ts";
import { lacksInKeyfile } from "./keyfile-words.ts";
import { homelessObjects, lacksAnywhere, oddLinkNames, refuseUnsayable } from "./refusal.ts";
import type { Lacks } from "./refusal.ts";

/** How each format is written, and what it has no words for. */
const WRITERS: Record<
  ExportFormat,
  {
    write: (input: ExportInput) => { files: ExportedFile[]; diagnostics: Diagnostic[] };
    lacks: Lacks;
    withLinks: boolean;
  }
> = {
  iproute2: { write: exportIproute2, lacks: lacksInIp, withLinks: false },
  networkd: { write: exportNetworkd, lacks: lacksInNetworkd, withLinks: true },
  // What netplan has no words for goes to networkd by its side.
  netplan: { write: exportNetplan, lacks: lacksInNetworkd, withLinks: true },
  networkmanager: { write: exportNetworkManager, lacks: lacksInKeyfile, withLinks: true },
  ifupdown: { write: exportIfupdown, lacks: lacksInIp, withLinks: true },
};

/** The files of an export, by path; absent where the format cannot say something, and the diagnostics say what. */
export function exportFiles(format: ExportFormat, input: ExportInput): Outcome<ExportedFile[]> {
  const { write, lacks, withLinks } = WRITERS[format];
  const objects = routingObjects(input);
  const refused = [
    ...refuseUnsayable(format, objects, (object) => lacksAnywhere(object) ?? lacks(object)),
    ...oddLinkNames(format, input.want.objects),
    ...(withLinks ? homelessObjects(format, assignHomes(objects).homeless) : []),
  ];
  if (hasErrors(refused)) return { diagnostics: inOrderOfLines(refused) };
  const { files, diagnostics } = write(input);
  const all = [...commonFiles(format, input), ...files].toSorted((a, b) => (a.path < b.path ? -1 : 1));
  const said = inOrderOfLines([...refused, ...diagnostics]);
  return hasErrors(said) ? { diagnostics: said } : { value: all, diagnostics: said };
}

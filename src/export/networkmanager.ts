// Owns the format `networkmanager`: for each link a connection profile as a keyfile.
import type { Diagnostic, SourceRange } from "../model/diagnostic.ts";
import type { LinkFact } from "../model/facts.ts";
import type { Family } from "../model/ip.ts";
import type { AddressSpec } from "../model/kinds.ts";
import type { Desired } from "../model/objects.ts";
import { addressesOn, header, routingObjects, rulesAsAsked } from "./common.ts";
import type { ExportedFile, ExportInput } from "./exported.ts";
import { assignHomes } from "./home.ts";
import { routeLines, ruleLine } from "./keyfile-words.ts";

/** Where NetworkManager has profiles that survive a reboot. It refuses those that others may read. */
const DIRECTORY = "/etc/NetworkManager/system-connections";

/** Profile types by the link layer; other layers want properties of their own that only the site knows. */
const TYPES: Readonly<Record<string, string>> = { ether: "ethernet", infiniband: "infiniband" };

/** The profiles, with what is to be said about them. */
export function exportNetworkManager(input: ExportInput): { files: ExportedFile[]; diagnostics: Diagnostic[] } {
  const files: ExportedFile[] = [];
  const diagnostics: Diagnostic[] = [];
  for (const [name, objects] of assignHomes(routingObjects(input)).byLink) {
    const link = input.links.find((one) => one.name === name);
    const type = TYPES[link?.type ?? "ether"];
    const range = objects[0]?.from[0];
    if (type === undefined || (link?.parent !== undefined && !isPeer(link))) {
      diagnostics.push(otherLink(name, link, range));
      continue;
    }
    diagnostics.push(wholeProfile(name, range));
    const addresses = addressesOn(name, input, objects);
    files.push({
      path: `${DIRECTORY}/heddle-${name}.nmconnection`,
      mode: 0o600,
      text:
        `${header("networkmanager", input.origin)}\n[connection]\nid=heddle-${name}\ntype=${type}\n` +
        `interface-name=${name}\nautoconnect-priority=10\n\n` +
        (type === "infiniband" ? `[infiniband]\ntransport-mode=${input.site.ipoibModes[name] ?? "datagram"}\n\n` : "") +
        `${ipSection(4, addresses, objects)}\n${ipSection(6, addresses, objects)}`,
    });
  }
  return { files, diagnostics };
}

function ipSection(family: Family, addresses: readonly AddressSpec[], objects: readonly Desired[]): string {
  const own = addresses.filter((spec) => spec.family === family);
  const none = family === 4 ? "disabled" : "link-local";
  const lines = [`[ipv${family}]\nmethod=${own.length > 0 ? "manual" : none}\n`];
  own.forEach(({ address }, i) => lines.push(`address${i + 1}=${address}\n`));
  let [routes, rules] = [0, 0];
  for (const object of rulesAsAsked(objects)) {
    if (object.kind === "route" && object.spec.family === family) lines.push(routeLines(object.spec, ++routes));
    if (object.kind === "rule" && object.spec.family === family) lines.push(ruleLine(object.spec, ++rules));
  }
  return lines.join("");
}

/** A veth names its far end where others name what they are children of. */
function isPeer(link: LinkFact): boolean {
  return link.driver === "veth";
}

function wholeProfile(link: string, range: SourceRange | undefined): Diagnostic {
  return {
    code: "export-whole-link",
    severity: "warning",
    summary: `the profile of ${link} takes the place of the one that it has`,
    detail:
      "It states the addresses that the link has now. What else an earlier profile says (DHCP, gateways, DNS) is not in it.",
    remedy: "Look it over before you load it; or copy its route and routing-rule lines into the earlier profile.",
    ...(range === undefined ? {} : { range }),
  };
}

function otherLink(name: string, link: LinkFact | undefined, range: SourceRange | undefined): Diagnostic {
  const what = link?.parent === undefined ? `of the type ${link?.type}` : `a child of ${link.parent}`;
  return {
    code: "not-exportable",
    severity: "error",
    summary: `NetworkManager cannot have a profile of ${name} from heddle`,
    detail: `The link is ${what}, and a profile of such a one says how the link itself is made, which heddle does not know.`,
    remedy: "Make the profile with nmcli, and export --as iproute2 for the routing.",
    ...(range === undefined ? {} : { range }),
  };
}

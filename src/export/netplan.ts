// Owns the format `netplan`: a YAML file of what netplan has words for, and for the rest drop-ins of the files that it
// makes for networkd (docs/adr/0031-netplan-and-networkd-side-by-side.md).
import { stringify } from "yaml";
import type { Diagnostic } from "../model/diagnostic.ts";
import type { AddressSpec, RouteMetrics, RouteSpec, RuleSpec } from "../model/kinds.ts";
import type { Desired } from "../model/objects.ts";
import { addressesOn, header, routingObjects, rulesAsAsked } from "./common.ts";
import type { ExportedFile, ExportInput } from "./exported.ts";
import { assignHomes } from "./home.ts";
import { dropIn } from "./networkd.ts";

/** Sorts behind the files that installers make, so that it adds to what they define. */
const FILE = "/etc/netplan/90-heddle.yaml";

/** The words for metrics that netplan knows. */
const METRICS: Partial<Record<keyof RouteMetrics, string>> = {
  mtu: "mtu",
  initcwnd: "congestion-window",
  initrwnd: "advertised-receive-window",
};

type Fields = Record<string, unknown>;

/** The files, with what is to be said about them. */
export function exportNetplan(input: ExportInput): { files: ExportedFile[]; diagnostics: Diagnostic[] } {
  const files: ExportedFile[] = [];
  const diagnostics: Diagnostic[] = [];
  const sections: Record<string, Record<string, Fields>> = {};
  for (const [link, objects] of assignHomes(routingObjects(input)).byLink) {
    const defined = input.site.netplan[link];
    const { section, id } = defined ?? { section: "ethernets", id: link };
    const said = objects.filter(isSayable);
    const rest = objects.filter((object) => !isSayable(object));
    const addresses = defined
      ? said.flatMap((object) => (object.kind === "address" ? [object.spec] : []))
      : addressesOn(link, input, objects);
    if (!defined) diagnostics.push(statedWhole(link, objects));
    if (rest.length > 0) {
      diagnostics.push(besideNetplan(link, rest));
      files.push(dropIn("netplan", input.origin, `10-netplan-${id}.network`, rest));
    }
    (sections[section] ??= {})[id] = {
      ...(rest.length > 0 ? { renderer: "networkd" } : {}),
      ...list(
        "addresses",
        addresses.map(({ address }: AddressSpec) => address),
      ),
      ...list(
        "routes",
        said.flatMap((object) => (object.kind === "route" ? [routeFields(object.spec)] : [])),
      ),
      ...list(
        "routing-policy",
        rulesAsAsked(said).flatMap((object) => (object.kind === "rule" ? [ruleFields(object.spec)] : [])),
      ),
    };
  }
  const text = header("netplan", input.origin) + stringify({ network: { version: 2, ...sections } }, { lineWidth: 0 });
  // Netplan warns of files that others may read.
  files.push({ path: FILE, mode: 0o600, text });
  return { files, diagnostics };
}

/** The fields of rules and routes that netplan has words for (netplan-yaml(5), as of 0.106). */
const RULE_FIELDS: ReadonlySet<string> = new Set<keyof RuleSpec>([
  "family",
  "priority",
  "from",
  "to",
  "table",
  "mark",
  "tos",
  "action",
  "protocol",
]);
const ROUTE_FIELDS: ReadonlySet<string> = new Set<keyof RouteSpec>([
  "family",
  "table",
  "to",
  "type",
  "metric",
  "source",
  "hops",
  "metrics",
  "protocol",
]);

/** Whether netplan's own words say the whole of an object. */
function isSayable({ kind, spec }: Desired): boolean {
  switch (kind) {
    case "address":
      return spec.peer === undefined && spec.scope === "global";
    case "route":
      return isSayableRoute(spec);
    case "rule":
      return (
        Object.keys(spec).every((field) => RULE_FIELDS.has(field)) &&
        spec.action === "table" &&
        (spec.from !== undefined || spec.to !== undefined)
      );
    default:
      return false;
  }
}

function isSayableRoute(spec: RouteSpec): boolean {
  const { type, hops, metrics = {} } = spec;
  const [hop] = hops;
  if (!Object.keys(spec).every((field) => ROUTE_FIELDS.has(field)) || type !== "unicast" || hops.length !== 1) {
    return false;
  }
  // A route without a gateway is said by its scope (networkd lets it pass for IPv6, which has none).
  if (hop?.via === undefined && hop?.onlink) return false;
  return Object.keys(metrics).every((name) => Object.hasOwn(METRICS, name));
}

function routeFields({ to, table, metric, source, hops: [hop], metrics = {} }: RouteSpec): Fields {
  const fields: Fields = { to };
  if (hop?.via === undefined) fields["scope"] = "link";
  else fields["via"] = hop.via;
  if (hop?.onlink) fields["on-link"] = true;
  fields["table"] = table;
  if (metric !== undefined) fields["metric"] = metric;
  if (source !== undefined) fields["from"] = source;
  for (const [name, value] of Object.entries(metrics)) {
    const word = METRICS[name as keyof RouteMetrics];
    if (word !== undefined) fields[word] = value;
  }
  return fields;
}

function ruleFields({ priority, from, to, table, mark, tos }: RuleSpec): Fields {
  return {
    priority,
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
    ...(mark === undefined ? {} : { mark }),
    ...(tos === undefined ? {} : { "type-of-service": tos }),
    table,
  };
}

function list(key: string, values: readonly unknown[]): Fields {
  return values.length > 0 ? { [key]: values } : {};
}

function statedWhole(link: string, objects: readonly Desired[]): Diagnostic {
  const range = objects[0]?.from[0];
  return {
    code: "export-whole-link",
    severity: "note",
    summary: `netplan does not define ${link} here, so the export does`,
    detail:
      "It states the addresses that the link has now. What else the link needs (DHCP, gateways, DNS) is not in it.",
    remedy: "Look it over; or define the link first, and export again.",
    ...(range === undefined ? {} : { range }),
  };
}

function besideNetplan(link: string, rest: readonly Desired[]): Diagnostic {
  const range = rest[0]?.from[0];
  return {
    code: "export-beside-netplan",
    severity: "note",
    summary: `netplan has no words for ${rest.length} of the objects of ${link}`,
    detail: `They are in a drop-in of the file that netplan makes for networkd, and ${link} is told to be networkd's.`,
    remedy: "Use --as networkmanager where NetworkManager is to keep the link.",
    ...(range === undefined ? {} : { range }),
  };
}

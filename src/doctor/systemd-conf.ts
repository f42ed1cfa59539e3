// Owns the reading of systemd's configuration files: which of them counts, and what a switch says.
//
// Sources: networkd.conf(5), "Configuration directories and precedence": the first main file found counts alone;
// drop-ins of all directories are taken together in the order of their names, one of a stronger directory hiding
// those of the same name, and come after the main file. systemd.syntax(7) for comments and continued lines.
import { NETWORKD_DIRECTORIES } from "./paths.ts";

/** The value of a switch of a section, in the order in which systemd reads its files; undefined when none says it. */
export function readNetworkdSwitch(files: Readonly<Record<string, string>>, key: string): boolean | undefined {
  let value: boolean | undefined;
  for (const path of filesInOrder(files)) value = readSwitch(files[path] ?? "", "Network", key) ?? value;
  return value;
}

function filesInOrder(files: Readonly<Record<string, string>>): string[] {
  const main = NETWORKD_DIRECTORIES.map((directory) => `${directory}/networkd.conf`).find((path) => path in files);
  const dropIns = new Map<string, string>();
  for (const directory of NETWORKD_DIRECTORIES) {
    const folder = `${directory}/networkd.conf.d/`;
    for (const path of Object.keys(files)) {
      const name = path.startsWith(folder) ? path.slice(folder.length) : "";
      if (/^[^/]+\.conf$/.test(name) && !dropIns.has(name)) dropIns.set(name, path);
    }
  }
  const ordered = [...dropIns].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, path]) => path);
  return [...(main === undefined ? [] : [main]), ...ordered];
}

const YES = /^(1|y|yes|t|true|on)$/i;
const NO = /^(0|n|no|f|false|off)$/i;

/** The last valid value of a key in a section; what systemd cannot read it passes over. */
function readSwitch(text: string, section: string, key: string): boolean | undefined {
  let value: boolean | undefined;
  let here = false;
  for (const line of text.replace(/\\\n/g, " ").split("\n")) {
    const trimmed = line.trim();
    if (/^[#;]/.test(trimmed)) continue;
    const header = /^\[(.*)\]$/.exec(trimmed);
    if (header) here = header[1] === section;
    const [name, ...rest] = trimmed.split("=");
    const said = rest.join("=").trim();
    if (!here || name?.trim() !== key) continue;
    if (YES.test(said)) value = true;
    else if (NO.test(said)) value = false;
  }
  return value;
}

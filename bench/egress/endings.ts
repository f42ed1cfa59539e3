// Owns the table of frames that leave by another way when the process of a connection is gone, mechanism by mechanism
// (docs/adr/0009). It needs real root, and takes half a minute. Run it with `make bench`.
import { countFrames, ConnectionProgram, ENDINGS, WITHOUT_SOCKET } from "../../test/endings/endings.ts";
import type { Count } from "../../test/endings/endings.ts";
import { MECHANISMS, takeDown } from "../../test/endings/mechanisms.ts";
import { upEgressLab } from "../../test/egress-lab.ts";

const endings = [...ENDINGS, ...WITHOUT_SOCKET];
/** "2 + 31 of 40": by another gateway, further ones with another source, of how many. */
const say = ({ frames, byAnother, wrong }: Count): string =>
  wrong === 0 ? `0 of ${frames}` : `**${byAnother} + ${wrong - byAnother}** of ${frames}`;

await using lab = await upEgressLab("endings");
using program = new ConnectionProgram();
const lines = [
  `| the process … | ${MECHANISMS.map(({ name }) => name).join(" | ")} |`,
  `|---|${"--:|".repeat(MECHANISMS.length)}`,
];
const cells = new Map<string, string[]>(endings.map(({ name }) => [name, []]));
for (const mechanism of MECHANISMS) {
  await takeDown(lab);
  await mechanism.up(lab);
  process.stderr.write(`Connections whose process goes: ${mechanism.name}\n`);
  for (const ending of endings) {
    cells.get(ending.name)?.push(say(await countFrames(lab, program.path, mechanism, ending)));
  }
}
for (const [name, row] of cells) lines.push(`| ${name} | ${row.join(" | ")} |`);
process.stdout.write(`${lines.join("\n")}\n`);

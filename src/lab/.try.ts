import { Command } from "commander";
import { registerLabCommand } from "/work/main/src/lab/command.ts";
const p = new Command("heddle").option("--json");
registerLabCommand(p);
await p.parseAsync(process.argv);

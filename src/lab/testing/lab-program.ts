// Owns a program that is nothing but `lab`, for tests that need a process of their own to kill.
import { Command } from "commander";
import { registerLabCommand } from "../command.ts";

const program = new Command("heddle").option("--json");
registerLabCommand(program);
await program.parseAsync(process.argv);

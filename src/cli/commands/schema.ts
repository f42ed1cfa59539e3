// Owns `heddle schema`: the file's language, for editors.
import { jsonSchema } from "../../config/schema.ts";
import { ROLES } from "../../roles/index.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit.ts";
import type { ExitCode } from "../exit.ts";

/** Prints the JSON Schema of heddle.yaml. */
export function schema(context: Context): ExitCode {
  const described = { title: "heddle.yaml", ...jsonSchema(ROLES) };
  context.say(context.options.json ? JSON.stringify(described) : JSON.stringify(described, null, 2));
  return EXIT.ok;
}

// Owns what is said of sections that only work while the agent runs, where there is to be none.
import type { Config } from "../config/config.ts";
import type { Diagnostic } from "../model/diagnostic.ts";
import type { Role } from "../roles/role.ts";

/** A diagnostic for each section that needs the agent. `without` is a clause: "an export has none". */
export function refuseAgentSections(config: Config, roles: readonly Role[], without: string): Diagnostic[] {
  return config.sections.flatMap((section): Diagnostic[] => {
    const role = roles.find(({ name }) => name === section.role);
    if (!role?.needsAgent?.(section)) return [];
    return [
      {
        code: "needs-agent",
        severity: "error",
        summary: `${section.role}/${section.name} needs the agent, and ${without}`,
        detail: "It depends on what the agent watches: who answers, who is master, what has been learned.",
        remedy: "Run the agent on this host (heddle install), or take the section out of the file.",
        range: section.at(),
      },
    ];
  });
}

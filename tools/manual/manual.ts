// Owns `make manual`: writes what is in the manual from the program's own definitions.
import { readFileSync, writeFileSync } from "node:fs";
import { ROLES } from "../../src/roles/index.ts";
import { keyGroups, putKeys } from "./keys.ts";

const FILE = "docs/CONFIG.md";
writeFileSync(FILE, putKeys(readFileSync(FILE, "utf8"), keyGroups(ROLES)));

// Owns where the files are that a configuration names.
import { dirname, isAbsolute, join } from "node:path";

/** Path of a file that the configuration in `file` names: it begins where that is. */
export function besidePath(file: string, name: string): string {
  return isAbsolute(name) ? name : join(dirname(file), name);
}

// Owns a process that finds out its network namespace's cookie in both ways: node learn-child.ts CGROUP
import { closeSync, openSync } from "node:fs";
import { namespaceCookie, OWN_NAMESPACE } from "../../native.ts";
import { learnCookie } from "../cookie.ts";

const fd = openSync(process.argv[2] ?? "", "r");
process.stdout.write(`${learnCookie(OWN_NAMESPACE, fd)} ${namespaceCookie(OWN_NAMESPACE)}`);
closeSync(fd);

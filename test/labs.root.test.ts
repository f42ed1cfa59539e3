// Owns the run of every scenario of the labs whose hosts have users.
import { testLabs } from "./lab-runs.ts";

testLabs({ withUsers: true });

// Owns the run of every scenario of the labs that anybody can run.
import { testLabs } from "./lab-runs.ts";

testLabs({ withUsers: false });

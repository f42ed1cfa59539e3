// Owns the run of the tour's chapters whose hosts have users.
import { testTour } from "./tour-runs.ts";

testTour({ needsRoot: true });

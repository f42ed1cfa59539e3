// Owns the run of the tour's chapters that anybody can run.
import { testTour } from "./tour-runs.ts";

testTour({ needsRoot: false });

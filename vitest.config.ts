// Owns how the tests are split: `pure` needs nothing but Node; `net` needs a network
// namespace of its own (tools/in-namespace gives it one, as any user); `root` needs real root.
import { defineConfig } from "vitest/config";

const shared = { testTimeout: 30_000, hookTimeout: 30_000 };

export default defineConfig({
  test: {
    maxWorkers: 2,
    projects: [
      {
        test: {
          ...shared,
          name: "pure",
          include: ["src/**/*.test.ts", "tools/**/*.test.ts"],
          exclude: ["**/*.{net,root}.test.ts"],
          // What these load remembers nothing that differs from file to file, so one process runs many: it saves a third.
          isolate: false,
        },
      },
      { test: { ...shared, name: "net", include: ["{src,test}/**/*.net.test.ts"] } },
      { test: { ...shared, name: "root", include: ["{src,test}/**/*.root.test.ts"], fileParallelism: false } },
    ],
  },
});

import { defineConfig } from "vitest/config";

/** Kafka clients of other languages, fetched when they are first needed (`.ci/clients/install.ts`), against a real server. */
export default defineConfig({
  test: {
    include: ["test/clients/**/*.test.ts"],
    testTimeout: 180_000,
    hookTimeout: 600_000,
    fileParallelism: false,
  },
});

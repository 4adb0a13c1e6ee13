import { defineConfig } from "vitest/config";

/** What Kafka's own tools say of what is written here; skipped where Java or Maven is not there. */
export default defineConfig({
  test: { include: ["test/java/**/*.test.ts"], testTimeout: 120_000, hookTimeout: 600_000, maxWorkers: 1 },
});

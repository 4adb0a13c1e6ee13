import { defineConfig } from "vitest/config";

/** Suites that need an AWS endpoint: the one that AWS_ENDPOINT_URL names, or an emulator that is started for them. */
export default defineConfig({
  test: {
    include: ["test/aws/**/*.test.ts"],
    globalSetup: ["test/aws/support/global-setup.ts"],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    maxWorkers: 2,
  },
});

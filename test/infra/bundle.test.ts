/** The functions' bundles, made as a deployment has them: their size, and that they start. */
import { execFile } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bundleLambdas } from "../../.ci/bundle.ts";

const run = promisify(execFile);
const KB = 1024;

let folder: string;
let sizes: Record<string, number>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "brokerless-bundles-"));
  sizes = await bundleLambdas(folder);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("the bundle of", () => {
  test.each([
    ["api", 760],
    ["stream", 760],
    ["roll", 480],
    ["retain", 480],
    ["sweep", 480],
  ])("%s is at most %i KB", (name, mostKb) => {
    expect(sizes[name]).toBeLessThanOrEqual(mostKb * KB);
  });

  test.each(["api", "roll", "retain", "sweep"])(
    "%s starts in a process that has nothing but it and its settings",
    async (name) => {
      const program = `const { handler } = await import(${JSON.stringify(join(folder, name, "index.mjs"))}); console.log(typeof handler);`;
      const env = { BROKERLESS_TABLE: "t", BROKERLESS_BUCKET: "b", AWS_REGION: "us-east-1" };
      const { stdout } = await run(process.execPath, ["--input-type=module", "-e", program], { env, cwd: folder });
      expect(stdout).toBe("function\n");
    },
  );

  test("api names what is not set", async () => {
    const program = `await import(${JSON.stringify(join(folder, "api", "index.mjs"))}).catch((error) => console.log(error.message));`;
    const { stdout } = await run(process.execPath, ["--input-type=module", "-e", program], { env: {}, cwd: folder });
    expect(stdout).toContain("BROKERLESS_TABLE is not set");
  });
});

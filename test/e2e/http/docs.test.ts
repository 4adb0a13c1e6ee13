/** The examples of docs/http.md, run as they stand there. They need a shell and curl. */
import { execFile, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startTestServer, type TestServer } from "./harness.ts";

const run = promisify(execFile);
const text = readFileSync(new URL("../../../docs/http.md", import.meta.url), "utf8");
const examples = [...text.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, script]) => script as string);
const curlIsMissing = spawnSync("curl", ["--version"]).status !== 0 || spawnSync("bash", ["--version"]).status !== 0;

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.close());

test.skipIf(curlIsMissing)("every example does what it says", async () => {
  expect(examples.length).toBeGreaterThan(5);
  for (const script of examples) {
    await run("bash", ["-euo", "pipefail", "-c", script], { env: { ...process.env, URL: server.url } });
  }
  const partitions = await server.log.partitions("clicks");
  expect(partitions).toHaveLength(4);
  expect(partitions.reduce((sum, { logEndOffset }) => sum + logEndOffset, 0)).toBe(1 + 3 + 1 + 2 + 3 + 2);
});

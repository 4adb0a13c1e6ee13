import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { RunningServer } from "../../../lib/server/types.ts";
import { memoryServer } from "./server.ts";

let server: RunningServer;
beforeAll(async () => {
  server = await memoryServer();
});
afterAll(() => server.close());

async function example(path: string): Promise<string[]> {
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [`examples/${path}`], {
    env: { ...process.env, BROKERLESS_URL: server.url },
  });
  expect(stderr).toBe("");
  return stdout.trim().split("\n");
}

test("the quick start writes orders and reads them", async () => {
  const [place, ...orders] = await example("quickstart/quickstart.ts");
  expect(place).toMatch(/^the order of ada is at offset 0 of partition [012]$/);
  expect(orders.sort()).toEqual([
    "ada { item: 'cup', amount: 1 }",
    "ada { item: 'tea', amount: 2 }",
    "bob { item: 'cup', amount: 1 }",
    "cyd { item: 'cup', amount: 1 }",
  ]);
});

test("the queue's worker does what it can, gives back what fails, and poison goes to the dead letters", async () => {
  expect(await example("queue-worker/run.ts")).toEqual([
    "start 1: 3 done, failed: virus.exe is no picture (1)",
    "start 2: 0 done, failed: virus.exe is no picture (2)",
    "start 3: 0 done, failed: virus.exe is no picture (3)",
    "left: 0, dead letters: 1",
  ]);
});

test("the priority lanes hold the orders of VIPs and no others", async () => {
  expect(await example("priority-lanes/priority-lanes.ts")).toEqual([
    "the fast lanes: { ada: 100, grace: 100 }",
    "the others:     { bob: 100, cyd: 100, dan: 100, eve: 100 }",
  ]);
});

/** The functions' bundles, made as a deployment has them: their size, and that they start. */
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type BundleSize, bundleLambdas } from "../../.ci/bundle.ts";

const run = promisify(execFile);
const KB = 1024;

const HOW_TO_SLIM = `A cold start reads too much. \`npm run bundle -- --largest 30\` lists what the most of it is. What few first calls need
is to be loaded with them: a family of routes goes among the later ones of lib/http/routes/index.ts; other code behind
\`await import()\`, as in lambdas/app.ts. What is imported by what is there from the start (a helper beside schemas, say) pulls in its whole file.
What nothing uses is taken out in .ci/slim.ts. The limit stays: it is what callers wait for`;

let folder: string;
let sizes: Record<string, BundleSize>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "brokerless-bundles-"));
  sizes = await bundleLambdas(folder);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("the bundle of", () => {
  test.each([
    ["api", 500, 1000],
    ["stream", 500, 1000],
    ["roll", 300, 430],
    ["retain", 300, 430],
    ["sweep", 300, 430],
    ["merge", 300, 430],
    ["compact", 300, 430],
    ["lag", 370, 640],
    ["expire", 300, 430],
    ["queues", 385, 610],
    ["transactions", 400, 590],
  ])("%s has a cold start read at most %i KB, of %i KB", (name, mostLoadedKb, mostKb) => {
    expect(sizes[name]?.loadedBytes, HOW_TO_SLIM).toBeLessThanOrEqual(mostLoadedKb * KB);
    expect(sizes[name]?.bytes).toBeLessThanOrEqual(mostKb * KB);
  });

  test("api and stream bring the description of the API with them", async () => {
    for (const name of ["api", "stream"]) {
      const described = JSON.parse(await readFile(join(folder, name, "openapi.json"), "utf8"));
      expect(described.openapi).toBe("3.1.0");
      expect(Object.keys(described.paths)).toContain("/topics/{topic}/partitions/{partition}/records");
      // Of families that are loaded later.
      for (const path of ["/kafka", "/v1/tokens", "/v3/clusters/{cluster_id}/topics"])
        expect(Object.keys(described.paths)).toContain(path);
    }
  });

  test("api answers a call without Node's fetch, which takes 20 ms to load", async () => {
    const program = `
      const { handler } = await import(${JSON.stringify(join(folder, "api", "index.mjs"))});
      const event = (rawPath) => ({ version: "2.0", rawPath, requestContext: { http: { method: "GET" } } });
      const context = { awsRequestId: "r", getRemainingTimeInMillis: () => 29_000 };
      const described = await handler(event("/openapi.json"), context);
      const missing = await handler(event("/nowhere"), context);
      const loaded = process.moduleLoadList.some((name) => name.includes("undici"));
      console.log(JSON.stringify([described.statusCode, missing.statusCode, loaded]));`;
    const env = { BROKERLESS_TABLE: "t", BROKERLESS_BUCKET: "b", AWS_REGION: "us-east-1" };
    const { stdout } = await run(process.execPath, ["--input-type=module", "-e", program], { env, cwd: folder });
    expect(JSON.parse(stdout.trim().split("\n").at(-1) as string)).toEqual([200, 404, false]);
  });

  test.each(["api", "roll", "merge", "compact", "retain", "sweep", "lag", "expire", "queues", "transactions"])(
    "%s starts in a process that has nothing but it and its settings",
    async (name) => {
      const program = `const { handler } = await import(${JSON.stringify(join(folder, name, "index.mjs"))}); console.log(typeof handler);`;
      const env = { BROKERLESS_TABLE: "t", BROKERLESS_BUCKET: "b", AWS_REGION: "us-east-1" };
      const { stdout } = await run(process.execPath, ["--input-type=module", "-e", program], { env, cwd: folder });
      expect(stdout).toBe("function\n");
    },
  );

  test("api asks for a token where nobody told it whether to", async () => {
    const program = `
      const { handler } = await import(${JSON.stringify(join(folder, "api", "index.mjs"))});
      const event = { version: "2.0", rawPath: "/v3/clusters", requestContext: { http: { method: "GET" } } };
      const answer = await handler(event, { awsRequestId: "r", getRemainingTimeInMillis: () => 29_000 });
      console.log(JSON.stringify([answer.statusCode, answer.headers["www-authenticate"]]));`;
    const settings = { BROKERLESS_TABLE: "t", BROKERLESS_BUCKET: "b", AWS_REGION: "us-east-1" };
    for (const env of [settings, { ...settings, BROKERLESS_AUTH: "token" }, { ...settings, BROKERLESS_AUTH: "None" }]) {
      const { stdout } = await run(process.execPath, ["--input-type=module", "-e", program], { env, cwd: folder });
      expect(JSON.parse(stdout.trim().split("\n").at(-1) as string)).toEqual([401, 'Bearer realm="brokerless"']);
    }
  });

  test("api names what is not set", async () => {
    const program = `await import(${JSON.stringify(join(folder, "api", "index.mjs"))}).catch((error) => console.log(error.message));`;
    const { stdout } = await run(process.execPath, ["--input-type=module", "-e", program], { env: {}, cwd: folder });
    expect(stdout).toContain("BROKERLESS_TABLE is not set");
  });
});

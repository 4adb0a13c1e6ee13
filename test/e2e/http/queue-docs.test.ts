/** The examples of docs/queues.md, run as they stand there. They need a shell and curl. */
import { execFile, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { createTopic, startTestServer } from "./harness.ts";

const curlIsMissing = spawnSync("curl", ["--version"]).status !== 0 || spawnSync("bash", ["--version"]).status !== 0;

test.skipIf(curlIsMissing)("the examples of docs/queues.md do what they say", async () => {
  const text = readFileSync(new URL("../../../docs/queues.md", import.meta.url), "utf8");
  const scripts = [...text.matchAll(/```sh\n([\s\S]*?)```/g)]
    .map(([, script]) => script as string)
    .filter((one) => one.startsWith("URL="));
  const server = await startTestServer();
  try {
    await createTopic(server, "jobs");
    expect(scripts).toHaveLength(1);
    for (const script of scripts) {
      const here = script.replace(/^URL=.*$/m, `URL=${server.url}`);
      const { stdout } = await promisify(execFile)("bash", ["-euo", "pipefail", "-c", here]);
      expect(JSON.parse(stdout.slice(stdout.lastIndexOf('{"group"')))).toMatchObject({ depth: 0, in_flight: 1 });
    }
  } finally {
    await server.close();
  }
});

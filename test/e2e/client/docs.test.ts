import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { memoryServer } from "./server.ts";

test("the program in docs/client.md does what its comments say", async () => {
  const blocks = [...(await readFile("docs/client.md", "utf8")).matchAll(/^```ts\n(.*?)^```/gms)].map((match) => match[1]);
  const server = await memoryServer();
  const folder = await mkdtemp(join(tmpdir(), "brokerless-docs-"));
  try {
    const file = join(folder, "program.mts");
    const source = blocks.join("\n").replace("brokerless/client", new URL("../../../lib/client/index.ts", import.meta.url).href);
    await writeFile(file, source.replace("http://127.0.0.1:8080", server.url));
    const { stdout } = await promisify(execFile)(process.execPath, [file]);
    expect(stdout).toContain("unknown_topic not_applied\n");
    expect(stdout).toMatch(/^0$/m);
    expect(stdout).toContain("{ and: 'that is all' }");
  } finally {
    await rm(folder, { recursive: true });
    await server.close();
  }
});

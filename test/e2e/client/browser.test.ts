import { build } from "esbuild";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { RunningServer } from "../../../lib/server/types.ts";
import { memoryServer } from "./server.ts";

let server: RunningServer;

beforeAll(async () => {
  server = await memoryServer();
});
afterAll(() => server.close());

test("the client, bundled for a browser, holds nothing of Node's and writes and reads", async () => {
  const result = await build({
    entryPoints: ["lib/client/index.ts"],
    bundle: true,
    platform: "browser",
    format: "esm",
    target: "es2023",
    write: false,
    minify: true,
    metafile: true,
    // What only Node has is not there.
    define: { Buffer: "undefined", process: "undefined", setImmediate: "undefined", global: "undefined" },
  });
  const source = result.outputFiles[0]?.text as string;
  const imports = Object.values(result.metafile.inputs).flatMap((input) => input.imports.map(({ path }) => path));
  expect(imports.filter((path) => path.startsWith("node:"))).toEqual([]);
  expect(
    Object.keys(result.metafile.inputs).filter((path) => path.startsWith("lib/") && !/^lib\/(client|kafka|base)\//.test(path)),
  ).toEqual([]);
  // Producer, consumers, queues, transactions, codecs and all: a size that nobody should make larger without a thought.
  expect(source.length).toBeLessThan(85_000);

  const { Brokerless, text } = (await import(
    /* @vite-ignore */ `data:text/javascript;charset=utf-8,${encodeURIComponent(source)}`
  )) as typeof import("../../../lib/client/index.ts");
  const client = new Brokerless({ url: server.url });
  await client.admin.createTopic({ name: "browser" });
  const producer = client.producer({ compression: "lz4" });
  await producer.sendBatch(Array.from({ length: 10 }, (_, i) => ({ topic: "browser", key: "k", value: `v${i}` })));
  await producer.close();
  const values = [];
  for await (const record of client.reader({ topic: "browser", follow: false })) values.push(text(record.value));
  expect(values).toEqual(Array.from({ length: 10 }, (_, i) => `v${i}`));
});

import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";

const run = promisify(execFile);
let folder: string;

/** The tarball, installed into a project of its own. */
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "brokerless-pack-"));
  const { stdout } = await run("npm", ["pack", "--silent", "--pack-destination", folder]);
  const tarball = join(folder, stdout.trim().split("\n").at(-1) as string);
  await writeFile(
    join(folder, "package.json"),
    JSON.stringify({ name: "user", version: "1.0.0", private: true, type: "module" }),
  );
  await run("npm", ["install", "--prefer-offline", "--no-audit", "--no-fund", tarball], { cwd: folder });
}, 300_000);

afterAll(() => rm(folder, { recursive: true, force: true }));

async function node(source: string): Promise<string> {
  const file = join(folder, "main.mjs");
  await writeFile(file, source);
  const { stdout } = await run(process.execPath, [file], { cwd: folder });
  return stdout.trim();
}

test("the package holds compiled code alone, and no source, test or example", async () => {
  const { stdout } = await run("find", ["."], { cwd: join(folder, "node_modules/brokerless") });
  const files = stdout.trim().split("\n");
  expect(files.filter((name) => name.endsWith(".ts") && !name.endsWith(".d.ts"))).toEqual([]);
  expect(files.filter((name) => /^\.\/(test|bench|examples|lib)(\/|$)/.test(name))).toEqual([]);
  for (const name of ["./README.md", "./LICENSE", "./dist/bin/brokerless.js"]) expect(files).toContain(name);
});

test("the server and the client of the package work together", async () => {
  const out = await node(`
    import { Brokerless, text } from "brokerless/client";
    import { nodeCodecs } from "brokerless/codecs/node";
    import { startServer } from "brokerless/server";
    const server = await startServer({ data: "log", http: { host: "127.0.0.1", port: 0 } });
    const client = new Brokerless({ url: server.url, codecs: nodeCodecs });
    await client.admin.createTopic({ name: "clicks", partitions: 2 });
    const producer = client.producer({ compression: "zstd" });
    await producer.sendBatch(["a", "b", "c"].map((key) => ({ topic: "clicks", key, value: key.toUpperCase() })));
    await producer.close();
    const values = [];
    for await (const record of client.reader({ topic: "clicks", follow: false })) values.push(text(record.value));
    await server.close();
    console.log(values.sort().join());
  `);
  expect(out).toBe("A,B,C");
});

test("the record formats are there by themselves", async () => {
  const out = await node(`
    import { decodeBatch, encodeBatch, murmur2 } from "brokerless/kafka";
    const batch = encodeBatch([{ key: null, value: new Uint8Array([1, 2]) }], { timestampMs: 5 });
    console.log(decodeBatch(batch, 0, {})[0].value.join(), murmur2(new TextEncoder().encode("foobar")));
  `);
  expect(out).toBe("1,2 -790332482");
});

test("what is not exported cannot be imported", async () => {
  await expect(node(`await import("brokerless/dist/lib/log/log.js")`)).rejects.toThrow("ERR_PACKAGE_PATH_NOT_EXPORTED");
});

test("its types are found and right, for a strict project", { timeout: 120_000 }, async () => {
  await writeFile(
    join(folder, "typed.ts"),
    `import { Brokerless, type RecordMetadata } from "brokerless/client";
     import { nodeCodecs } from "brokerless/codecs/node";
     import { startServer } from "brokerless/server";
     const server = await startServer({ storage: "memory" });
     const client = new Brokerless({ url: server.url, codecs: nodeCodecs });
     const place: RecordMetadata = await client.producer().send({ topic: "t", value: "v" });
     export const offset: number = place.offset;
     // @ts-expect-error: a topic is text
     client.reader({ topic: 5 });
     // @ts-expect-error: there is no such thing
     client.admin.nothing();
    `,
  );
  await mkdir(join(folder, "node_modules/@types"), { recursive: true });
  await symlink(resolve("node_modules/@types/node"), join(folder, "node_modules/@types/node"));
  await symlink(resolve("node_modules/undici-types"), join(folder, "node_modules/undici-types"));
  const options = [
    "--strict",
    "--noEmit",
    "--module",
    "nodenext",
    "--target",
    "es2022",
    "--types",
    "node",
    "--skipLibCheck",
    "typed.ts",
  ];
  await run(process.execPath, [createRequire(import.meta.url).resolve("typescript/bin/tsc"), ...options], { cwd: folder }).catch(
    (error) => {
      throw new Error(error.stdout);
    },
  );
});

test("the command line is on the path of the project, and runs the server", async () => {
  const bin = join(folder, "node_modules/.bin/brokerless");
  const { version } = JSON.parse(await readFile("package.json", "utf8")) as { version: string };
  expect((await run(bin, ["--version"])).stdout.trim()).toBe(version);
  const server = spawn(bin, ["serve", "--http", "127.0.0.1:0", "--kafka", "127.0.0.1:0", "--storage", "memory", "--json"], {
    cwd: folder,
  });
  try {
    const [line] = (await once(server.stdout, "data")) as [Buffer];
    const { url } = JSON.parse(line.toString()) as { url: string };
    await run(bin, ["topic", "create", "hello", "--url", url]);
    const produce = run(bin, ["produce", "hello", "--url", url]);
    produce.child.stdin?.end("hello, world\n");
    await produce;
    expect((await run(bin, ["consume", "hello", "-e", "--url", url])).stdout).toBe("hello, world\n");
  } finally {
    server.kill("SIGINT");
    expect((await once(server, "close"))[0]).toBe(0);
  }
});

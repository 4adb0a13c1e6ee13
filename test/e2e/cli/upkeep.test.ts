/** `maintain` and `verify`, at a server and over the data of a stopped one. */
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startServer } from "../../../lib/server/start.ts";
import type { RunningServer } from "../../../lib/server/types.ts";
import { batchOf } from "../../unit/log/support.ts";
import { brokerless, lines, type Ran } from "./run.ts";

let data: string;
let server: RunningServer;

beforeAll(async () => {
  data = await mkdtemp(join(tmpdir(), "brokerless-upkeep-"));
  server = await startServer({ data, http: { host: "127.0.0.1", port: 0 } });
  await server.log.createTopic({ name: "t", partitions: 2, configs: { "retention.ms": "-1" } });
  for (let i = 0; i < 20; i++) await server.log.append({ topic: "t", partition: 0, batches: batchOf([`v${i}`, "w"]) });
});
afterAll(async () => {
  await server.close();
  await rm(data, { recursive: true });
});

function run(args: string): Promise<Ran> {
  return brokerless(args.split(" "), { url: server.url });
}

test("a dry run says what a job would do, and does nothing", async () => {
  const ran = await run("maintain --job roll --dry-run");
  expect(ran).toMatchObject({ code: 0, err: "" });
  expect(ran.out).toMatch(
    /^t-0: \d+ refs of the tail would be sealed\nroll \(dry run\): 0 segments, 0 records, 0 size bytes, \d+ refs sealed\n$/,
  );
  expect((await run("maintain --job roll --dry-run")).out).toBe(ran.out);
});

test("a job runs at the server, and answers JSON to programs", async () => {
  await server.log.deleteRecords("t", 0, 4);
  const answer = JSON.parse((await run("maintain --job retain --json")).out);
  expect(answer).toMatchObject({ job: "retain", dry_run: false, left: false, counts: { records: 0, segments_deleted: 0 } });
  expect(JSON.parse((await run("maintain --job sweep --json")).out)).toMatchObject({ job: "sweep", left: false });
});

test("the jobs of groups run too: offsets expire, lag is looked at, __consumer_offsets is put right", async () => {
  await run("group reset old --topic t --to-latest --execute");
  expect((await run("maintain --job lag")).out).toMatch(/^lag: 1 groups, 2 partitions, 1 windows written/);
  expect((await run("maintain --job expire")).out).toBe("expire: 0 offsets, 0 groups\n");
  const [first] = lines((await run("maintain --job offsets")).out).slice(-1);
  expect(first).toMatch(/^offsets: 50 partitions, \d+ records$/);
  expect((await run("maintain --job offsets")).out).toBe("offsets: 50 partitions, 0 records\n");
  expect((await run("maintain --job transactions")).out).toBe("transactions: 0 aborted, 0 completed\n");
  expect((await run("maintain --job queues")).out).toBe("queues: 0 groups, 0 partitions\n");
});

test("a topic is verified at the server", async () => {
  const ran = await run("verify t");
  expect(ran).toMatchObject({ code: 0, err: "" });
  expect(lines(ran.out)).toEqual([
    expect.stringMatching(/^t-0: offsets 4 to 40, 36 records in 0 segments, 18 blobs, \d+ bytes: ok$/),
    "t-1: offsets 0 to 0, 0 records in 0 segments, 0 blobs, 0 bytes: ok",
  ]);
  expect(lines((await run("verify t -p 1 --json")).out).map((line) => JSON.parse(line))).toEqual([
    {
      kind: "partition",
      partition: 1,
      log_start_offset: 0,
      log_end_offset: 0,
      records: 0,
      size_bytes: 0,
      segments: 0,
      blobs: 0,
      problems: 0,
    },
  ]);
});

test.each([
  ["maintain --job nope", 2, "Allowed choices are"],
  ["maintain", 2, "required option '--job <job>'"],
  ["maintain --job roll --data x --table t", 2, "--data and --table: give one of them"],
  ["verify none", 3, 'topic "none" does not exist'],
  ["verify t -p 7", 3, "partitions 0 to 1; 7 asked for"],
])("%s is refused in one line", async (args, code, what) => {
  const ran = await run(args);
  expect(ran.code).toBe(code);
  expect(lines(ran.err)).toEqual([expect.stringContaining(what)]);
});

test("the data of a running server is not touched, and that of a stopped one is checked and named where it is damaged", async () => {
  const inUse = await run(`verify t --data ${data}`);
  expect(inUse.code).toBe(1);
  expect(inUse.err).toContain("is in use by process");
  await server.close();
  try {
    expect((await brokerless(["verify", "t", "--data", data])).code).toBe(0);
    const swept = await brokerless(["maintain", "--job", "sweep", "--data", data]);
    expect(swept).toMatchObject({ code: 0, out: "sweep: 0 blobs, 0 blob bytes, 0 objects, 0 object bytes, 0 topics\n" });

    for (const job of ["expire", "lag", "transactions", "queues", "offsets"])
      expect(await brokerless(["maintain", "--job", job, "--data", data])).toMatchObject({ code: 0, err: "" });

    // What is in the table cannot be damaged from here; what is in a shared file can.
    server = await startServer({ data, http: { host: "127.0.0.1", port: 0 } });
    await server.log.append({ topic: "t", partition: 1, batches: batchOf(["x".repeat(100_000)]) });
    await server.close();
    const folder = join(data, "blobs");
    const name = (await readdir(folder)).sort().at(-1) as string;
    const bytes = await readFile(join(folder, name));
    bytes[bytes.byteLength - 50_000] = 7;
    await writeFile(join(folder, name), bytes);
    const damaged = await brokerless(["verify", "t", "--data", data]);
    expect(damaged).toMatchObject({ code: 1, err: 'brokerless: topic "t" has 1 problem\n' });
    expect(damaged.out).toMatch(/\nt-1: offsets 0 to 0: the batch does not match its CRC \(blob [0-9A-Z]{26}\)\n/);
  } finally {
    server = await startServer({ data, http: { host: "127.0.0.1", port: 0 } });
  }
});

test("JSON is not made of damaged bytes: the server says which offsets they are of", async () => {
  const response = await fetch(`${server.url}/topics/t/partitions/1/records?offset=0`);
  expect(response.status).toBe(500);
  expect(await response.json()).toMatchObject({
    error_code: 50004,
    code: "corrupt_log",
    message: "the batch of offsets 0 to 0 does not match its CRC",
    details: { next_offset: 1 },
  });
});

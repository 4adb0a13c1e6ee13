import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Storage } from "../../../../lib/ports/index.ts";
import { type AwsOptions, awsStorage } from "../../../../lib/storage/aws/index.ts";
import { systemClock } from "../../../../lib/storage/system/clock.ts";
import { systemIds } from "../../../../lib/storage/system/ids.ts";
import { storageErrorOf } from "../../../contract/backend.ts";

const NOWHERE = join(tmpdir(), "no-such-folder");

beforeEach(() => {
  for (const name of Object.keys(process.env)) if (name.startsWith("AWS_")) vi.stubEnv(name, undefined);
  vi.stubEnv("AWS_EC2_METADATA_DISABLED", "true");
  vi.stubEnv("AWS_CONFIG_FILE", NOWHERE);
  vi.stubEnv("AWS_SHARED_CREDENTIALS_FILE", NOWHERE);
});
afterEach(() => {
  vi.unstubAllEnvs();
});

function open(more: Partial<AwsOptions> = {}): Storage {
  // Nothing listens at port 1: whatever would leave this machine comes back.
  const endpoint = "http://127.0.0.1:1";
  return awsStorage({ table: "t", bucket: "b", endpoint, clock: systemClock, ids: systemIds(systemClock), ...more });
}

const CALLS: readonly [string, (storage: Storage) => Promise<unknown>][] = [
  ["a read of the table", ({ table }) => table.get({ pk: "p", sk: "s" })],
  ["a write to the table", ({ table }) => table.write({ op: "put", key: { pk: "p", sk: "s" }, item: {} })],
  ["a put to the bucket", ({ bucket }) => bucket.put("k", new Uint8Array(1))],
  ["a presigned URL", ({ bucket }) => bucket.presign("k", "GET", 1000)],
];

test.each(CALLS)("%s without credentials says how to give them", async (_, call) => {
  const error = await storageErrorOf(call(open({ region: "us-east-1" })));
  expect(error).toMatchObject({ kind: "unavailable", outcome: "not_applied" });
  expect(error.message).toMatch(/^no AWS credentials: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY/);
});

test.each(CALLS)("%s without a region says how to name it", async (_, call) => {
  const error = await storageErrorOf(call(open({ credentials: { accessKeyId: "a", secretAccessKey: "b" } })));
  expect(error).toMatchObject({ kind: "unavailable", message: "no AWS region: set AWS_REGION or name one in the settings" });
});

test("opening asks nothing of anybody, and a storage that was never used closes", async () => {
  await open().close();
});

test("small blobs go into the table, others into the bucket, from 4 KB on", () => {
  const { blobs } = open();
  expect([0, 1, 4095, 4096, 10 ** 8].map((size) => blobs.place(size))).toEqual([0, 0, 0, 1, 1]);
});

test("through the clients themselves, a write that was sent and cut is unknown, and sent once", async () => {
  const seen: string[] = [];
  const server = createServer((req, res) => {
    const operation = String(req.headers["x-amz-target"]).split(".")[1] ?? "";
    seen.push(operation);
    // The read that compares the clocks is answered.
    if (operation === "GetItem") res.end("{}");
    else req.socket.destroy();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const storage = open({ endpoint, region: "us-east-1", credentials: { accessKeyId: "a", secretAccessKey: "b" } });
  try {
    const key = { pk: "p", sk: "s" };
    const error = await storageErrorOf(storage.table.write({ op: "update", key, changes: [{ add: "n", by: 1 }] }));
    expect(error).toMatchObject({ kind: "unknown", outcome: "unknown" });
    expect((await storageErrorOf(storage.table.atomically([{ op: "delete", key }]))).kind).toBe("unknown");
    expect(seen).toEqual(["GetItem", "UpdateItem", "TransactWriteItems"]);
  } finally {
    await storage.close();
    server.close();
  }
});

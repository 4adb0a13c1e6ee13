/** Reading segments straight from where they are: a server over memory, and a bucket that gives URLs. */
import { randomUUID } from "node:crypto";
import { readFile, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Brokerless, BrokerlessError, type BrokerlessOptions, type ReaderOptions } from "../../../lib/client/index.ts";
import { encodeBatch } from "../../../lib/kafka/index.ts";
import { decodeSegment, encodeSegment, segmentObject, segmentRange } from "../../../lib/log/items/segment.ts";
import { roll } from "../../../lib/log/jobs/index.ts";
import { ROLL_POLICY } from "../../../lib/log/jobs/plan-roll.ts";
import type { Storage } from "../../../lib/ports/index.ts";
import { startServer } from "../../../lib/server/start.ts";
import type { RunningServer } from "../../../lib/server/types.ts";
import { memoryStorage } from "../../../lib/storage/memory/index.ts";
import { systemClock } from "../../../lib/storage/system/clock.ts";
import { systemIds } from "../../../lib/storage/system/ids.ts";
import { start } from "../cli/process.ts";

type Answer = (incoming: IncomingMessage, outgoing: ServerResponse, key: string) => Promise<void>;

let storage: Storage;
let server: RunningServer;
let bucketUrl: string;
let closeBucket: () => Promise<void>;
/** Requests that the bucket has answered. */
let gets: string[];
/** What the bucket does; tests put another in its place. */
let answer: Answer;
const client = (more: Partial<BrokerlessOptions> = {}) =>
  new Brokerless({ url: server.url, retry: { minMs: 1, maxMs: 5 }, ...more });

/** As S3 answers a ranged get of a presigned URL. */
const honest: Answer = async ({ headers, url = "" }, outgoing, key) => {
  const [, from = "0", last = ""] = /^bytes=(\d+)-(\d+)$/.exec(headers.range ?? "") ?? [];
  if (!url.endsWith("?X-Amz-Signature=right") || headers.authorization !== undefined)
    return void outgoing.writeHead(403).end("<Code>AccessDenied</Code>");
  const bytes = await storage.bucket.get(key, { from: Number(from), to: Number(last) + 1 });
  if (bytes === undefined) return void outgoing.writeHead(404).end("<Code>NoSuchKey</Code>");
  outgoing.writeHead(206, { "content-range": `bytes ${from}-${last}/*`, "content-length": bytes.byteLength }).end(bytes);
};

beforeEach(async () => {
  gets = [];
  answer = honest;
  const plain = memoryStorage({ clock: systemClock });
  const listening = createServer((incoming, outgoing) => {
    const key = (incoming.url ?? "").slice(1).split("?")[0] ?? "";
    gets.push(key);
    void answer(incoming, outgoing, key);
  });
  await new Promise<void>((resolve) => listening.listen(0, "127.0.0.1", resolve));
  bucketUrl = `http://127.0.0.1:${(listening.address() as AddressInfo).port}`;
  closeBucket = () =>
    new Promise((resolve) => {
      listening.closeAllConnections();
      listening.close(() => resolve());
    });
  const { bucket } = plain;
  storage = {
    ...plain,
    bucket: {
      put: (key, body, options) => bucket.put(key, body, options),
      putStream: (key, pieces) => bucket.putStream(key, pieces),
      get: (key, slice) => bucket.get(key, slice),
      delete: (keys) => bucket.delete(keys),
      list: (prefix, options) => bucket.list(prefix, options),
      concat: (keys, into) => bucket.concat(keys, into),
      presign: async (key) => `${bucketUrl}/${key}?X-Amz-Signature=right`,
    },
  };
  server = await startServer({ storage, http: { host: "127.0.0.1", port: 0 }, jobs: false });
});
afterEach(async () => {
  await server.close();
  await closeBucket();
});

const encoder = new TextEncoder();
const PER_BATCH = 10;

/** So many records in each partition, rolled into segments of about this size; `tail` batches more stay outside. */
async function filled({
  partitions = 1,
  records = 4000,
  segmentBytes = 64 * 1024,
  tail = 5,
  valueBytes = 100,
} = {}): Promise<string> {
  const topic = `t-${randomUUID()}`;
  const { log } = server;
  await log.createTopic({ name: topic, partitions });
  const append = (partition: number, first: number) =>
    log.append({
      topic,
      partition,
      batches: encodeBatch(
        Array.from({ length: PER_BATCH }, (_, i) => ({
          key: null,
          value: encoder.encode(`${partition}:${first + i}`.padEnd(valueBytes, ".")),
        })),
        { timestampMs: 1_700_000_000_000 },
      ),
    });
  for (let partition = 0; partition < partitions; partition++) {
    for (let at = 0; at < records; at += PER_BATCH) await append(partition, at);
  }
  const policy = { ...ROLL_POLICY, graceMs: Number.NEGATIVE_INFINITY, segmentBytes };
  const parts = { storage, clock: systemClock, ids: systemIds(systemClock), policy };
  let left = true;
  while (left) ({ left } = await roll(parts, { untilMs: Number.POSITIVE_INFINITY }));
  for (let partition = 0; partition < partitions; partition++) {
    for (let i = 0; i < tail; i++) await append(partition, records + i * PER_BATCH);
  }
  return topic;
}

/** Every record as `partition/offset value`. */
async function readAll(options: Partial<ReaderOptions> & { readonly topic: string }, from = client()): Promise<string[]> {
  const seen: string[] = [];
  for await (const { partition, offset, value } of from.reader({ follow: false, ...options })) {
    seen.push(
      `${partition}/${offset} ${Buffer.from(value ?? [])
        .toString()
        .replaceAll(".", "")}`,
    );
  }
  return seen;
}

function expected(partition: number, from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, i) => `${partition}/${from + i} ${partition}:${from + i}`);
}

/** Puts each segment under another name, as the merger does, and takes the old ones away. */
async function renameSegments(topic: string, partition = 0): Promise<void> {
  const { id } = await server.log.topic(topic);
  const ids = systemIds(systemClock);
  for (const { key, item } of await storage.table.range(`P#${id}#${partition}`, segmentRange(0))) {
    const before = decodeSegment(key, item);
    const after = { ...before, id: ids.ulid() };
    const bytes = (await storage.bucket.get(segmentObject(id, partition, before))) as Uint8Array;
    await storage.bucket.put(segmentObject(id, partition, after), bytes);
    await storage.table.write({ op: "put", key, item: encodeSegment(after) });
    await storage.bucket.delete([segmentObject(id, partition, before)]);
  }
}

describe("a reader far behind", () => {
  test("takes segments from the bucket and the rest from the server: every record once, in order", async () => {
    const topic = await filled({ partitions: 3 });
    const seen = await readAll({ topic });
    expect(gets.length).toBeGreaterThan(15);
    for (let partition = 0; partition < 3; partition++) {
      expect(seen.filter((one) => one.startsWith(`${partition}/`))).toEqual(expected(partition, 0, 4050));
    }
  });

  test("begins in the middle of a segment and ends in the middle of one, and takes no more than it needs", async () => {
    const topic = await filled();
    expect(await readAll({ topic, partitions: 0, from: 1234, until: new Map([[0, 2777]]) })).toEqual(expected(0, 1234, 2777));
    expect(new Set(gets).size).toBeLessThan(7);
    expect(gets.length).toBeGreaterThan(1);
  });

  test("fetches large segments in parts, side by side", async () => {
    const topic = await filled({ records: 3000, valueBytes: 5000, segmentBytes: 2 ** 30 });
    let underWay = 0;
    let most = 0;
    answer = async (...call) => {
      most = Math.max(most, ++underWay);
      await systemClock.sleep(20);
      await honest(...call);
      underWay--;
    };
    expect(await readAll({ topic })).toEqual(expected(0, 0, 3050));
    expect(new Set(gets).size).toBeLessThan(gets.length);
    expect(most).toBeGreaterThan(1);
    expect(most).toBeLessThanOrEqual(4);
  });

  test("does not fetch ahead without end for a consumer that is slow, and lets go when it leaves", async () => {
    const topic = await filled({ partitions: 4, records: 3000, valueBytes: 3000, segmentBytes: 2 ** 20 });
    const reader = client().reader({ topic, follow: false, readAheadBytes: 1024 * 1024 });
    for await (const _ of reader.batches()) {
      await systemClock.sleep(300);
      break;
    }
    const fetched = gets.length;
    // One slot, one range being handed over in each partition's turn.
    expect(fetched).toBeLessThan(12);
    await systemClock.sleep(100);
    expect(gets.length).toBeLessThanOrEqual(fetched + 1);
  });

  test("goes on where it was when the segments are put elsewhere while they are read", async () => {
    const topic = await filled();
    let renamed = 0;
    answer = async (...call) => {
      // Twice, in the middle of it.
      if (gets.length === 3 || gets.length === 9) {
        renamed++;
        await renameSegments(topic);
      }
      await honest(...call);
    };
    expect(await readAll({ topic })).toEqual(expected(0, 0, 4050));
    expect(renamed).toBe(2);
  });

  test("is told, and skips nothing silently, when retention overtakes it; or goes on where it was told to", async () => {
    const topic = await filled();
    let overtaken = false;
    answer = async (...call) => {
      if (!overtaken && gets.length === 3) {
        overtaken = true;
        await server.log.deleteRecords(topic, 0, 3500);
        const keys: string[] = [];
        for await (const page of storage.bucket.list("segments/")) keys.push(...page.map(({ key }) => key));
        await storage.bucket.delete(keys.toSorted().slice(0, -2));
      }
      await honest(...call);
    };
    const error = await readAll({ topic }).catch((thrown) => thrown);
    expect(error).toBeInstanceOf(BrokerlessError);
    expect(error).toMatchObject({ code: "offset_out_of_range" });
    const seen = await readAll({ topic, from: 0, autoOffsetReset: "earliest" });
    expect(seen).toEqual(expected(0, 3500, 4050));
  });

  test.each([1, 2, 3, 4, 5])(
    "reads every record once from a bucket that refuses, cuts, stalls and garbles (seed %i)",
    async (seed) => {
      const topic = await filled({ partitions: 2 });
      let state = seed * 7919;
      const random = (): number => {
        state = (state * 48271) % 2147483647;
        return state / 2147483647;
      };
      answer = async (incoming, outgoing, key) => {
        const fate = random();
        if (fate > 0.35) return honest(incoming, outgoing, key);
        if (fate > 0.3) return void outgoing.writeHead(403).end("<Code>ExpiredToken</Code>");
        if (fate > 0.25) return void outgoing.writeHead(404).end();
        if (fate > 0.2) return void outgoing.writeHead(503).end("<Code>SlowDown</Code>");
        if (fate > 0.15) return void incoming.socket.destroy();
        const bytes = (await storage.bucket.get(key)) as Uint8Array;
        if (fate > 0.1) return void outgoing.writeHead(206).end(bytes.subarray(0, bytes.byteLength / 2));
        if (fate > 0.05) return void outgoing.writeHead(200).end(bytes);
        const [, from = "0", last = "0"] = /^bytes=(\d+)-(\d+)$/.exec(incoming.headers.range ?? "") ?? [];
        outgoing.writeHead(206).end(bytes.slice(Number(from), Number(last) + 1).map((byte, i) => (i === 500 ? byte ^ 1 : byte)));
      };
      const seen = await readAll({ topic });
      for (let partition = 0; partition < 2; partition++) {
        expect(seen.filter((one) => one.startsWith(`${partition}/`))).toEqual(expected(partition, 0, 4050));
      }
    },
  );

  test("reads through the server where the bucket cannot be reached, as from a browser that may not", async () => {
    const topic = await filled();
    let asked = 0;
    const storageFetch = async () => {
      asked++;
      throw new TypeError("Failed to fetch");
    };
    expect(await readAll({ topic }, client({ storageFetch }))).toEqual(expected(0, 0, 4050));
    expect(asked).toBeGreaterThan(0);
    expect(asked).toBeLessThan(15);
  });

  test("believes the server, not the bucket, where a segment holds other records than it should", async () => {
    const topic = await filled({ partitions: 2 });
    const { id } = await server.log.topic(topic);
    answer = async (incoming, outgoing, key) => honest(incoming, outgoing, key.includes("/1/") ? await wrongOne(key) : key);
    const wrongOne = async (key: string): Promise<string> => {
      const keys: string[] = [];
      for await (const page of storage.bucket.list(`segments/${id}/0/`)) keys.push(...page.map((one) => one.key));
      return keys.toSorted().at(-1) ?? key;
    };
    const seen = await readAll({ topic });
    for (let partition = 0; partition < 2; partition++) {
      expect(seen.filter((one) => one.startsWith(`${partition}/`))).toEqual(expected(partition, 0, 4050));
    }
  });

  test("keeps to the server where it is told to, and where little is to be read", async () => {
    const topic = await filled();
    expect(await readAll({ topic, bulk: false })).toEqual(expected(0, 0, 4050));
    expect(await readAll({ topic, partitions: 0, from: 3500 })).toEqual(expected(0, 3500, 4050));
    expect(gets).toEqual([]);
  });

  test("asks a server that has no manifests once", async () => {
    const plain = await startServer({ storage: "memory", http: { host: "127.0.0.1", port: 0 } });
    await plain.log.createTopic({ name: "t", partitions: 3 });
    for (let partition = 0; partition < 3; partition++) {
      const batches = encodeBatch(
        Array.from({ length: 2000 }, (_, i) => ({ key: null, value: encoder.encode(`${partition}:${i}`) })),
        { timestampMs: 1 },
      );
      await plain.log.append({ topic: "t", partition, batches });
    }
    const asked: string[] = [];
    const counting = new Brokerless({
      url: plain.url,
      fetch: (input, init) => {
        if (input.includes("manifest")) asked.push(input);
        return fetch(input, init);
      },
    });
    for (let partition = 0; partition < 3; partition++) {
      expect(await readAll({ topic: "t", partitions: partition }, counting)).toHaveLength(2000);
    }
    expect(asked).toHaveLength(1);
    await plain.close();
  });
});

describe("the manifest", () => {
  const ask = async (path: string) => {
    const reply = await fetch(`${server.url}${path}`);
    return {
      status: reply.status,
      headers: reply.headers,
      body: (await reply.json()) as Record<string, unknown> & { segments: Record<string, number & string>[] },
    };
  };

  test("names segments that follow each other, page by page, from the log start or an offset on", async () => {
    const topic = await filled();
    const path = `/v1/topics/${topic}/partitions/0/manifest`;
    const whole = await ask(path);
    expect(whole.status).toBe(200);
    expect(whole.headers.get("cache-control")).toBe("no-store");
    expect(whole.body).toMatchObject({ topic, partition: 0, log_start_offset: 0, log_end_offset: 4050 });
    expect(Date.parse(String(whole.body["expires_at"]))).toBeGreaterThan(Date.now() + 14 * 60_000);
    const pages: Record<string, number & string>[] = [];
    for (let offset = 0; ; ) {
      const { body } = await ask(`${path}?offset=${offset}&limit=2`);
      if (body.segments.length === 0) break;
      expect(body.segments.length).toBeLessThanOrEqual(2);
      pages.push(...body.segments);
      offset = Number(body["next_offset"]);
    }
    expect(pages).toEqual(whole.body.segments);
    const middle = (await ask(`${path}?offset=2000&limit=1`)).body.segments[0];
    expect(Number(middle?.["base_offset"])).toBeLessThanOrEqual(2000);
    expect(Number(middle?.["next_offset"])).toBeGreaterThan(2000);
    const end = await ask(`${path}?offset=4050`);
    expect(end).toMatchObject({ status: 200, body: { segments: [], next_offset: 4050 } });
  });

  test("is refused for what is wrong, by name", async () => {
    const topic = await filled({ records: 200 });
    const path = `/v1/topics/${topic}/partitions/0/manifest`;
    expect(await ask(`${path}?limit=257`)).toMatchObject({ status: 400, body: { code: "invalid_request", field: "limit" } });
    expect(await ask(`${path}?offset=-1`)).toMatchObject({ status: 400, body: { field: "offset" } });
    expect(await ask(`${path}?offset=9999`)).toMatchObject({ status: 416, body: { code: "offset_out_of_range" } });
    expect(await ask(`/v1/topics/none/partitions/0/manifest`)).toMatchObject({ status: 404, body: { code: "unknown_topic" } });
    expect(await ask(`/v1/topics/${topic}/partitions/7/manifest`)).toMatchObject({
      status: 404,
      body: { code: "unknown_partition" },
    });
    const plain = await startServer({ storage: "memory", http: { host: "127.0.0.1", port: 0 } });
    await plain.log.createTopic({ name: "t" });
    const reply = await fetch(`${plain.url}/v1/topics/t/partitions/0/manifest`);
    expect(reply.status).toBe(404);
    expect(await reply.json()).toMatchObject({
      code: "not_found",
      message: expect.stringContaining("memory storage gives no URLs"),
    });
    await plain.close();
  });
});

test("brokerless replay takes segments from the bucket, is killed, and goes on without a hole or a repetition", async () => {
  const topic = await filled({ records: 20_000 });
  const file = join(tmpdir(), `replay-${randomUUID()}.jsonl`);
  let seenGets = Number.POSITIVE_INFINITY;
  const args = ["replay", topic, "--to-file", file, "--url", server.url, "--resume", "--json"];
  const slow: Answer = async (...call) => {
    await systemClock.sleep(50);
    await honest(...call);
  };
  answer = slow;
  const first = start(args);
  while (gets.length < 12) await systemClock.sleep(10);
  first.child.kill("SIGKILL");
  await first.ended;
  seenGets = gets.length;
  answer = honest;
  const second = start(args);
  expect(await second.ended).toBe(0);
  expect(gets.length).toBeGreaterThan(seenGets);
  const lines = (await readFile(file, "utf8"))
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line).offset as number);
  expect(lines).toEqual(Array.from({ length: 20_050 }, (_, i) => i));
  await rm(file);
});

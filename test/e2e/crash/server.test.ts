/**
 * The same over HTTP: the server as a user starts it, killed at random moments, many rounds over one folder, while
 * plain and idempotent producers write to it. CRASH_ROUNDS as in `kill.test.ts`.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { type Child, startChild } from "./child.ts";
import { Ledger, type Read } from "./ledger.ts";
import { PARTITIONS, TOPIC, writeUntilRefused } from "./load.ts";

const BROKERLESS = join(import.meta.dirname, "../../../bin/brokerless.ts");
const RAW = "application/vnd.kafka.recordbatch.v2";
const BUDGET_MS = 5000;
const ROUNDS = Number(process.env["CRASH_ROUNDS"] ?? 0);

/** Appends one batch; answers its base offset. */
async function produce(url: string, partition: number, batch: Uint8Array): Promise<number> {
  const response = await fetch(`${url}/topics/${TOPIC}/partitions/${partition}/records`, {
    method: "POST",
    headers: { "content-type": RAW },
    body: batch as Uint8Array<ArrayBuffer>,
  });
  const text = await response.text();
  if (response.status >= 300) throw new Error(`${response.status} ${text}`);
  return JSON.parse(text).base_offset;
}

function readerOf(url: string): Read {
  return async (partition, offset) => {
    const response = await fetch(`${url}/topics/${TOPIC}/partitions/${partition}/records?offset=${offset}&max_bytes=4194304`, {
      headers: { accept: RAW },
    });
    const bytes = new Uint8Array(await response.arrayBuffer());
    if (response.status !== 200) throw new Error(`${response.status} ${Buffer.from(bytes).toString()}`);
    return {
      batches: bytes.byteLength === 0 ? [] : [bytes],
      nextOffset: Number(response.headers.get("kafka-next-offset")),
      logEndOffset: Number(response.headers.get("kafka-log-end-offset")),
    };
  };
}

async function createTopic(url: string, clusterId: string): Promise<void> {
  const response = await fetch(`${url}/v3/clusters/${clusterId}/topics`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ topic_name: TOPIC, partitions_count: PARTITIONS }),
  });
  expect(response.status).toBe(201);
}

test("a server killed at random moments loses and doubles nothing", { timeout: 60_000 + ROUNDS * 5000 }, async () => {
  const folder = await mkdtemp(join(tmpdir(), "brokerless-kill-"));
  const start = async (): Promise<{ readonly server: Child; readonly url: string; readonly clusterId: string }> => {
    let listening = { url: "", cluster_id: "" };
    const server = startChild(
      BROKERLESS,
      ["serve", "--http", "127.0.0.1:0", "--kafka", "off", "--data", folder, "--json"],
      () => undefined,
      (line) => {
        listening = JSON.parse(line);
        return true;
      },
    );
    await server.ready;
    return { server, url: listening.url, clusterId: listening.cluster_id };
  };
  const kill = async (server: Child): Promise<void> => {
    server.kill();
    const { signal, errors } = await server.ended;
    expect([signal, errors]).toEqual(["SIGKILL", ""]);
  };
  try {
    const ledger = new Ledger();
    const until = performance.now() + BUDGET_MS;
    let round = 0;
    const isEnough = (): boolean =>
      round >= (ROUNDS || 3) && (ROUNDS > 0 || performance.now() >= until) && ledger.acknowledged > 50;
    for (; !isEnough(); round++) {
      const { server, url, clusterId } = await start();
      if (round === 0) await createTopic(url, clusterId);
      else await ledger.check(readerOf(url));
      const writing = writeUntilRefused(
        round,
        ledger.progress,
        (partition, batch) => produce(url, partition, batch),
        (one) => ledger.note(one),
        1,
      );
      await sleep(50 + Math.random() * 450);
      await kill(server);
      // What ends a writer is a connection that broke, never an answer.
      for (const refusal of await writing) expect(refusal).toBeInstanceOf(TypeError);
    }
    const { server, url } = await start();
    await ledger.check(readerOf(url));
    await kill(server);
    console.log(`${round} kills, ${ledger.acknowledged} batches acknowledged, ${ledger.records} records in the log`);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});

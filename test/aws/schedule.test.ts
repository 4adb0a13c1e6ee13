/**
 * The jobs of a deployment as its schedules start them: what the API wrote becomes segments in the bucket, and is read back
 * whole; what retention gives up goes. Waits for EventBridge Scheduler, so it takes minutes.
 */
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { type Deployment, deployTo } from "../../.ci/aws-local.ts";
import { Brokerless, text } from "../../lib/client/index.ts";
import type { Storage } from "../../lib/ports/index.ts";
import { systemClock } from "../../lib/storage/system/clock.ts";
import { EMULATED, openStorage } from "./support/storage.ts";

const endpoint = inject("awsEndpoint");
/** The first start comes after a minute, and what is younger than a minute is left for the next one. */
const ROLLED_WITHIN_MS = 360_000;
const PARTITIONS = 2;
/** Of 16 appends each, which seal three runs. */
const APPENDS = 48;

describe("the scheduled jobs of a deployment", () => {
  let deployed: Deployment;
  let client: Brokerless;
  let storage: Storage;

  beforeAll(async () => {
    deployed = await deployTo(endpoint, [`name=Jobs${randomUUID().slice(0, 8)}`]);
    client = new Brokerless({ url: deployed.url });
    storage = openStorage({ ...EMULATED, ...deployed, endpoint });
  });
  afterAll(() => storage?.close());

  async function segments(): Promise<string[]> {
    const keys: string[] = [];
    for await (const page of storage.bucket.list("segments/")) keys.push(...page.map(({ key }) => key));
    return keys;
  }

  async function valuesOf(topic: string): Promise<Map<number, string[]>> {
    const values = new Map<number, string[]>();
    for await (const { partition, offset, value } of client.reader({ topic, follow: false })) {
      const read = values.get(partition) ?? [];
      expect(offset).toBe(read.length);
      read.push(text(value ?? new Uint8Array()));
      values.set(partition, read);
    }
    return values;
  }

  test("roll what was written into segments, of which every record is read back", { timeout: 450_000 }, async () => {
    const topic = `t-${randomUUID()}`;
    await client.admin.createTopic({ name: topic, partitions: PARTITIONS });
    // Small blobs are items of the table, and every eighth is an object.
    const textOf = (partition: number, i: number): string => `${partition}/${i} ${"x".repeat(i % 8 === 0 ? 6000 : 200)}`;
    const post = async (partition: number, i: number): Promise<void> => {
      const response = await fetch(`${deployed.url}/topics/${topic}/partitions/${partition}/records`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ value: textOf(partition, i) }),
      });
      expect(response.status, await response.text()).toBe(200);
    };
    const all = Array.from({ length: PARTITIONS }, (_, partition) => partition);
    await Promise.all(
      all.map(async (partition) => {
        for (let i = 0; i < APPENDS; i++) await post(partition, i);
      }),
    );
    const expected = new Map(
      all.map((partition) => [partition, Array.from({ length: APPENDS }, (_, i) => textOf(partition, i))]),
    );
    expect(await segments()).toEqual([]);
    expect(await valuesOf(topic)).toEqual(expected);

    const untilMs = systemClock.monotonicMs() + ROLLED_WITHIN_MS;
    const partitionsWithSegments = (keys: readonly string[]): Set<string> =>
      new Set(keys.map((key) => key.split("/").slice(1, 3).join("/")));
    let rolled = await segments();
    while (partitionsWithSegments(rolled).size < PARTITIONS && systemClock.monotonicMs() < untilMs) {
      await systemClock.sleep(2000);
      rolled = await segments();
    }
    expect([...partitionsWithSegments(rolled)].map((name) => name.split("/")[1]).toSorted()).toEqual(["0", "1"]);
    for (const key of rolled) expect((await storage.bucket.get(key))?.byteLength).toBeGreaterThan(6000);
    expect(await valuesOf(topic)).toEqual(expected);
    // And what comes after it.
    await post(0, APPENDS);
    expect((await valuesOf(topic)).get(0)).toHaveLength(APPENDS + 1);

    // Retention is started by hand: its schedule is every five minutes.
    const { clusterId } = await clusterOf();
    const change = await fetch(`${deployed.url}/v3/clusters/${clusterId}/topics/${topic}/configs/retention.ms`, {
      method: "PUT",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ value: "1000" }),
    });
    expect(change.status, await change.text()).toBe(204);
    await invoke("Retain");
    expect(await segments()).toEqual([]);
    const { logStartOffset } = await bounds(topic);
    expect(logStartOffset).toBeGreaterThan(0);
  });

  async function clusterOf(): Promise<{ clusterId: string }> {
    const { data } = (await (await fetch(`${deployed.url}/v3/clusters`)).json()) as { data: { cluster_id: string }[] };
    return { clusterId: data[0]?.cluster_id ?? "" };
  }

  async function bounds(topic: string): Promise<{ logStartOffset: number }> {
    const response = await fetch(`${deployed.url}/topics/${topic}/partitions/0/records?offset=latest`);
    return { logStartOffset: ((await response.json()) as { log_start_offset: number }).log_start_offset };
  }

  /** The deployment's function whose name has this word, once. Emulators do not check who asks. */
  async function invoke(word: string): Promise<void> {
    const functions = `${endpoint}/2015-03-31/functions`;
    const { Functions } = (await (await fetch(`${functions}/?MaxItems=1000`)).json()) as {
      Functions: { FunctionName: string; Environment?: { Variables?: Record<string, string> } }[];
    };
    const found = Functions.filter(
      ({ FunctionName, Environment }) =>
        FunctionName.includes(word) && Environment?.Variables?.["BROKERLESS_TABLE"] === deployed.table,
    );
    expect(found).toHaveLength(1);
    const response = await fetch(`${functions}/${found[0]?.FunctionName}/invocations`, { method: "POST", body: "{}" });
    expect(response.headers.get("x-amz-function-error"), await response.text()).toBe(null);
  }
});

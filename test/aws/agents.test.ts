/**
 * Agents and functions over one table and bucket: two processes of the command line and a deployed API write to the same
 * partitions at once. Only over an emulator that this run has started, or that AWS_ENDPOINT_URL names.
 */
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, describe, expect, inject, test } from "vitest";
import { type Deployment, deployTo } from "../../.ci/aws-local.ts";
import { Brokerless, text } from "../../lib/client/index.ts";
import { type Agent, startAgent } from "./support/agent.ts";
import { EMULATED, openStorage } from "./support/storage.ts";
import { openLog, type Report, runJob, violations, type Writing } from "./support/writer.ts";

const endpoint = inject("awsEndpoint");
const PARTITIONS = 3;

function writingOf(client: Brokerless): Writing {
  return {
    append: ({ topic, partition, batches }) => client.append(topic, partition, batches),
    allocateProducerId: () => client.admin.allocateProducerId(),
  };
}

describe("two agents and a function over one table and bucket", () => {
  let deployed: Deployment;
  let agents: Agent[];
  let clients: Brokerless[];

  beforeAll(async () => {
    deployed = await deployTo(endpoint, [`name=Agents${randomUUID().slice(0, 8)}`]);
    const place = { ...deployed, endpoint };
    agents = await Promise.all([startAgent(place), startAgent(place, ["--jobs", "false"])]);
    clients = [...agents, deployed].map(({ url }) => new Brokerless({ url }));
  });
  afterAll(() => Promise.all((agents ?? []).map((agent) => agent.stop())));

  async function topicOf(partitions: number): Promise<string> {
    const name = `t-${randomUUID()}`;
    await clients[0]?.admin.createTopic({ name, partitions });
    return name;
  }

  test("plain and idempotent producers of all three write to the same partitions: dense offsets, nothing twice, nothing lost, each producer in order", async () => {
    const topic = await topicOf(PARTITIONS);
    const reports: Report[] = await Promise.all(
      clients.map((client, i) =>
        // The function is a process a call in the emulator: fewer of them.
        runJob(writingOf(client), {
          topic,
          partitions: PARTITIONS,
          name: `p${i}`,
          plain: i < 2 ? 4 : 1,
          idempotent: i < 2 ? 4 : 1,
          requests: 12,
        }),
      ),
    );
    expect(reports.flatMap(({ errors }) => errors)).toEqual([]);
    // 12 requests of one, two and three records.
    expect(reports.map(({ acked }) => acked.length)).toEqual([8, 8, 2].map((n) => n * PARTITIONS * 24));
    const storage = openStorage({ ...EMULATED, ...deployed, endpoint });
    const log = openLog(storage);
    expect(await violations(log, topic, PARTITIONS, reports)).toEqual([]);
    await log.close();
    await storage.close();

    // Each of the three gives the same log back.
    const total = reports.reduce((sum, { acked }) => sum + acked.length, 0);
    const reads = await Promise.all(
      clients.map(async (client) => {
        const seen: string[] = [];
        for await (const { partition, offset, value } of client.reader({ topic, follow: false })) {
          seen.push(`${partition}/${offset} ${text(value ?? new Uint8Array())}`);
        }
        return seen.toSorted();
      }),
    );
    for (const seen of reads) expect(seen).toEqual(reads[0]);
    expect(reads[0]).toHaveLength(total);
    expect(reads[0]).toEqual(
      reports.flatMap(({ acked }) => acked.map(({ partition, offset, text }) => `${partition}/${offset} ${text}`)).toSorted(),
    );
  });

  test("what waits at an agent's end of the log hears of what another process appends", async () => {
    const topic = await topicOf(1);
    const waiting = fetch(`${agents[0]?.url}/topics/${topic}/partitions/0/records?offset=latest&timeout=20000`);
    await new Promise((resolve) => setTimeout(resolve, 700));
    await clients[1]?.producer().send({ topic, value: "by another agent" });
    expect(await (await waiting).text()).toContain("by another agent");
  });

  test("many requests at once go into few objects, shared by partitions", async () => {
    const topic = await topicOf(8);
    const before = await counted("PutObject");
    const producers = Array.from({ length: 8 }, () => clients[0]?.producer());
    // Each too large for the table by itself.
    await Promise.all(
      producers.flatMap((producer, partition) =>
        Array.from({ length: 8 }, (_, i) => producer?.send({ topic, partition, value: `${i}`.padEnd(5000, "x") })),
      ),
    );
    await Promise.all(producers.map((producer) => producer?.close()));
    const puts = (await counted("PutObject")) - before;
    expect(puts).toBeGreaterThan(0);
    expect(puts).toBeLessThan(64);
  });

  /** Requests of this kind that the first agent has sent. */
  async function counted(operation: string): Promise<number> {
    const metrics = await (await fetch(`${agents[0]?.url}/metrics`)).text();
    const line = metrics
      .split("\n")
      .find((one) => one.startsWith("brokerless_aws_requests_total") && one.includes(`"${operation}"`));
    return Number(line?.split(" ").at(-1) ?? 0);
  }

  test("an agent that is told to stop answers what it has begun, and the others go on", async () => {
    const topic = await topicOf(1);
    const place = { ...deployed, endpoint };
    const third = await startAgent(place);
    const first = Promise.withResolvers<void>();
    const told: number[] = [];
    const sending = Promise.all(
      Array.from({ length: 20 }, async (_, i) => {
        const body = JSON.stringify({ value: `v${i}` });
        const answer = await fetch(`${third.url}/topics/${topic}/partitions/0/records`, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body,
        }).catch(() => undefined);
        if (answer?.ok !== true) return;
        told.push(((await answer.json()) as { base_offset: number }).base_offset);
        first.resolve();
      }),
    );
    await first.promise;
    expect(await third.stop()).toBe(0);
    await sending;
    const kept = new Map<number, string>();
    for await (const { offset, value } of clients[1]!.reader({ topic, follow: false }))
      kept.set(offset, text(value ?? new Uint8Array()));
    expect([...kept.keys()]).toEqual(Array.from({ length: kept.size }, (_, i) => i));
    expect(new Set(kept.values()).size).toBe(kept.size);
    for (const offset of told) expect(kept.has(offset)).toBe(true);
  });
});

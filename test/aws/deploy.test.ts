/**
 * The log as `cdk deploy` makes it: records in and out through API Gateway, the streaming URL and real Lambda processes.
 * Only over an emulator that this run has started, or that AWS_ENDPOINT_URL names: it deploys stacks of its own.
 */
import { randomUUID } from "node:crypto";
import { request } from "node:http";
import { text as textOf } from "node:stream/consumers";
import { beforeAll, describe, expect, inject, test } from "vitest";
import { type Deployment, deployTo } from "../../.ci/aws-local.ts";
import { Brokerless, text } from "../../lib/client/index.ts";

const endpoint = inject("awsEndpoint");

describe.each([
  ["an HTTP API", "aws"],
  ["a REST API and rules, as for LocalStack", "localstack"],
])("a deployment with %s", (_, target) => {
  let deployed: Deployment;
  let client: Brokerless;

  beforeAll(async () => {
    deployed = await deployTo(endpoint, [`name=Test${randomUUID().slice(0, 8)}`, `target=${target}`]);
    process.stdout.write(`${target}: deployed in ${deployed.deployMs} ms\n`);
    client = new Brokerless({ url: deployed.url });
  });

  async function topicOf(partitions: number): Promise<string> {
    const topic = `t-${randomUUID()}`;
    await client.admin.createTopic({ name: topic, partitions });
    return topic;
  }

  test("keeps what is produced, in the order of each key, and gives all of it back once", async () => {
    const topic = await topicOf(3);
    const producer = client.producer();
    const sent = Array.from({ length: 300 }, (_, i) => ({ key: `k${i % 7}`, value: `${i} ${"x".repeat(200)}` }));
    await Promise.all(sent.map((record) => producer.send({ topic, ...record })));
    await producer.close();
    const read: { key: string; n: number }[] = [];
    for await (const record of client.reader({ topic, from: "earliest" })) {
      read.push({ key: text(record.key as Uint8Array), n: Number.parseInt(text(record.value as Uint8Array), 10) });
      if (read.length === sent.length) break;
    }
    expect(read.map(({ n }) => n).toSorted((a, b) => a - b)).toEqual(sent.map((_, i) => i));
    for (let k = 0; k < 7; k++) {
      const ofKey = read.filter(({ key }) => key === `k${k}`).map(({ n }) => n);
      expect(ofKey).toEqual(ofKey.toSorted((a, b) => a - b));
    }
  });

  test("keeps bytes that are no text, small and large, as they were", async () => {
    const topic = await topicOf(1);
    const producer = client.producer();
    const values = [1, 3000, 5000, 700_000].map((size) => Uint8Array.from({ length: size }, (_, i) => (i * 131 + size) % 256));
    for (const value of values) await producer.send({ topic, value });
    await producer.close();
    let i = 0;
    for await (const record of client.reader({ topic, from: "earliest" })) {
      expect(Buffer.from(record.value as Uint8Array).equals(values[i] as Uint8Array)).toBe(true);
      if (++i === values.length) break;
    }
  });

  test("gives the writers in parallel offsets without a hole", async () => {
    const topic = await topicOf(1);
    const post = (n: number) =>
      fetch(`${deployed.url}/topics/${topic}/partitions/0/records`, {
        method: "POST",
        headers: { "content-type": "application/json", "idempotency-key": `${topic}-${n}` },
        body: JSON.stringify({ value: String(n) }),
      }).then(async (response) => {
        expect(response.status, await response.clone().text()).toBe(200);
        return ((await response.json()) as { base_offset: number }).base_offset;
      });
    const offsets: number[] = [];
    // Eight at once: each is a process of its own in the emulator.
    for (let i = 0; i < 5; i++) offsets.push(...(await Promise.all(Array.from({ length: 8 }, (_, j) => post(i * 8 + j)))));
    expect(offsets.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 40 }, (_, i) => i));
  });

  test("wakes a long poll with what another process appends", async () => {
    const topic = await topicOf(1);
    const waiting = fetch(`${deployed.url}/topics/${topic}/partitions/0/records?offset=latest&timeout=15000`);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    await client.producer().send({ topic, value: "late" });
    expect(await (await waiting).text()).toContain("late");
  });

  test("streams from its Function URL what the API wrote, and more than fits one answer", async () => {
    const topic = await topicOf(1);
    const producer = client.producer();
    const value = "x".repeat(800_000);
    for (let i = 0; i < 7; i++) await producer.send({ topic, value: `${i}${value}` });
    await producer.close();
    const path = `/topics/${topic}/partitions/0/records?stream=true`;
    // Compressed it would fit.
    const refused = await fetch(deployed.url + path, { headers: { "accept-encoding": "identity" } });
    expect(refused.status).toBe(413);
    expect(await refused.text()).toContain(deployed.streamHost);
    const { status, body } = await throughStream(path);
    expect(status).toBe(200);
    const { records } = JSON.parse(body) as { records: { offset: number; value: { data: string } }[] };
    expect(records.map(({ value: { data } }) => data.slice(0, 1))).toEqual(["0", "1", "2", "3", "4", "5", "6"]);
  });

  test("answers what is wrong as the local server does", async () => {
    const missing = await fetch(`${deployed.url}/topics/nowhere/partitions/0/records`);
    expect(missing.status).toBe(404);
    expect(await missing.json()).toMatchObject({ code: "unknown_topic", outcome: "not_applied" });
    const large = await fetch(`${deployed.url}/topics/nowhere/records`, { method: "POST", body: new Uint8Array(7_000_000) });
    expect(large.status).toBe(413);
    expect(await large.text()).toContain("smaller batches");
  });

  /** Node's `fetch` says no other Host than that of the URL. */
  function throughStream(path: string): Promise<{ status: number | undefined; body: string }> {
    return new Promise((resolve, reject) => {
      const call = request(endpoint + path, { headers: { host: deployed.streamHost ?? "" } }, (response) => {
        textOf(response).then((body) => resolve({ status: response.statusCode, body }), reject);
      });
      call.once("error", reject);
      call.end();
    });
  }
});

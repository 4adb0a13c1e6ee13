/**
 * The example of a worker, deployed beside a log by plain `cdk` and started as its schedule starts it: what it can do is done, what fails
 * is named and comes again, and what fails too often is a dead letter.
 */
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { beforeAll, describe, expect, inject, test } from "vitest";
import { type Deployment, deployApp, deployTo } from "../../.ci/aws-local.ts";
import { Brokerless, text } from "../../lib/client/index.ts";

const endpoint = inject("awsEndpoint");
const APP = join(import.meta.dirname, "../../examples/queue-worker/app.ts");
const [GROUP, TOPIC, DEAD_LETTERS] = ["thumbnails", "uploads", "uploads.dead"];

interface Report {
  readonly done: number;
  readonly batchItemFailures: readonly {
    readonly itemIdentifier: string;
    readonly deliveries: number;
    readonly reason: string;
  }[];
}

describe("the queue worker", () => {
  const name = `Worker${randomUUID().slice(0, 8)}`;
  let deployed: Deployment;
  let client: Brokerless;

  beforeAll(async () => {
    deployed = await deployTo(endpoint, [`name=Log${randomUUID().slice(0, 8)}`]);
    // Rarely, so that it is started here alone.
    await deployApp(endpoint, APP, [
      `name=${name}`,
      `url=${deployed.url}`,
      `group=${GROUP}`,
      `topic=${TOPIC}`,
      "everyMinutes=600",
    ]);
    client = new Brokerless({ url: deployed.url });
  }, 240_000);

  /** As the schedule does it. */
  async function start(): Promise<Report> {
    const response = await fetch(`${endpoint}/2015-03-31/functions/${name}/invocations`, {
      method: "POST",
      headers: {
        // Emulators tell services apart by the scope; they check no signature.
        authorization: "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/lambda/aws4_request, SignedHeaders=host, Signature=0",
      },
      body: "{}",
    });
    const said = await response.text();
    expect([response.status, response.headers.get("x-amz-function-error")], said).toEqual([200, null]);
    return JSON.parse(said) as Report;
  }

  test("drains the queue, names what failed, and leaves poison to the dead letters", { timeout: 120_000 }, async () => {
    await client.admin.createTopic({ name: TOPIC, partitions: 2 });
    await client.groups.alterConfigs(GROUP, {
      "errors.deadletterqueue.topic.name": DEAD_LETTERS,
      "share.delivery.count.limit": "2",
    });
    const producer = client.producer();
    const pictures = Array.from({ length: 25 }, (_, i) => `${i}.png`);
    await Promise.all([...pictures, "virus.exe"].map((value) => producer.send({ topic: TOPIC, value })));
    await producer.close();

    const first = await start();
    expect(first).toMatchObject({ done: 25, batchItemFailures: [{ deliveries: 1, reason: "virus.exe is no picture" }] });
    expect(await client.queues.stats(GROUP)).toMatchObject({ depth: 1, inFlight: 0, deadLetters: 0 });
    const second = await start();
    expect(second).toMatchObject({ done: 0, batchItemFailures: [{ deliveries: 2 }] });
    expect(second.batchItemFailures[0]?.itemIdentifier).toBe(first.batchItemFailures[0]?.itemIdentifier);
    expect(await start()).toEqual({ done: 0, batchItemFailures: [] });

    const dead: (string | null)[] = [];
    for await (const { value } of client.reader({ topic: DEAD_LETTERS, follow: false })) dead.push(text(value));
    expect(dead).toEqual(["virus.exe"]);
    expect(await client.queues.stats(GROUP)).toMatchObject({ depth: 0, inFlight: 0, dying: 0, deadLetters: 1 });
  });
});

/** Members of a group, by the client, over a real server. */
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { Brokerless, type Consumer, type ConsumerOptions, text } from "../../../lib/client/index.ts";
import type { RunningServer } from "../../../lib/server/types.ts";
import { memoryServer } from "./server.ts";

let server: RunningServer;
let client: Brokerless;
let topic: string;
let made = 0;

beforeAll(async () => {
  server = await memoryServer();
  client = new Brokerless({ url: server.url });
});
afterAll(() => server.close());
beforeEach(async () => {
  topic = `c${++made}`;
  await client.admin.createTopic({ name: topic, partitions: 4 });
});

async function produce(from: number, count: number): Promise<void> {
  const producer = client.producer();
  await Promise.all(
    Array.from({ length: count }, (_, i) => producer.send({ topic, key: `k${from + i}`, value: String(from + i) })),
  );
  await producer.close();
}

function consumer(options: Partial<ConsumerOptions> = {}): Consumer {
  return client.consumer({ group: `g-${topic}`, topics: topic, autoOffsetReset: "earliest", ...options });
}

/** Reads until so many values have come. */
async function take(one: Consumer, count: number): Promise<string[]> {
  const values: string[] = [];
  for await (const batch of one) {
    for (const record of batch.records()) values.push(text(record.value) as string);
    if (values.length >= count) break;
  }
  return values;
}

const sorted = (values: readonly string[]): number[] => values.map(Number).sort((a, b) => a - b);
const range = (from: number, count: number): number[] => Array.from({ length: count }, (_, i) => from + i);

test("reads what the group has not read, and the next one goes on where it left", async () => {
  await produce(0, 40);
  expect(sorted(await take(consumer(), 40))).toEqual(range(0, 40));
  await produce(40, 10);
  const rest = await take(consumer(), 10);
  // The last batch was in hand when the loop was left: it may come again, and nothing else does.
  expect(sorted(rest).filter((value) => value >= 40)).toEqual(range(40, 10));
  expect((await client.groups.describe(`g-${topic}`)).state).toBe("Empty");
});

test("two members share the partitions, each record goes to one of them, and one takes over when the other leaves", async () => {
  const seen: string[] = [];
  const stops = [new AbortController(), new AbortController()];
  const members = stops.map(({ signal }) => consumer({ signal, commitIntervalMs: 50 }));
  const running = members.map(async (one) => {
    for await (const batch of one) for (const record of batch.records()) seen.push(text(record.value) as string);
  });
  await until(() => members.every((one) => one.assignment().length === 2));
  await produce(0, 60);
  await until(() => seen.length >= 60);
  expect(sorted(seen)).toEqual(range(0, 60));
  stops[0]?.abort();
  await running[0];
  await until(() => members[1]?.assignment().length === 4);
  await produce(60, 20);
  await until(() => new Set(seen).size === 80);
  stops[1]?.abort();
  await running[1];
  expect(sorted([...new Set(seen)])).toEqual(range(0, 80));
});

test("without autoCommit only commit() commits, up to what was processed", async () => {
  await produce(0, 20);
  const one = consumer({ autoCommit: false });
  let seen = 0;
  for await (const batch of one) {
    seen += [...batch.records()].length;
    if (seen >= 20) break;
  }
  expect(await client.groups.offsets(`g-${topic}`)).toEqual([]);
  const again = consumer({ autoCommit: false });
  seen = 0;
  let processed = 0;
  for await (const batch of again) {
    if (seen > 0 && processed === 0) {
      await again.commit();
      processed = again.positions().reduce((sum, { offset }) => sum + offset, 0);
    }
    seen += [...batch.records()].length;
    if (seen >= 20) break;
  }
  const committed = await client.groups.offsets(`g-${topic}`);
  expect(committed.reduce((sum, { offset }) => sum + offset, 0)).toBe(processed);
  expect(processed).toBeGreaterThan(0);
});

test("seek goes back, pause holds back, resume goes on", async () => {
  await produce(0, 30);
  const one = consumer();
  const places: string[] = [];
  let step = 0;
  const counted = new Map<number, number>();
  for await (const batch of one) {
    for (const record of batch.records()) places.push(`${batch.partition}:${record.offset}`);
    counted.set(batch.partition, batch.nextOffset);
    if (places.length === 30 && step === 0) {
      step = 1;
      const [first] = one.assignment();
      if (first === undefined) throw new Error("nothing is assigned");
      one.seek(first, 0);
      one.pause(one.assignment().filter(({ partition }) => partition !== first.partition));
      await produce(30, 30);
    } else if (step === 1 && places.length > 40) {
      step = 2;
      one.resume(one.assignment());
    } else if (new Set(places).size === 60) break;
  }
  expect(new Set(places).size).toBe(60);
  expect(places.length).toBeGreaterThan(60);
  expect(() => one.seek({ topic: "other", partition: 0 }, 0)).toThrow("does not have partition 0");
});

test.each([
  [{ group: "" }, "group"],
  [{ topics: [] }, "topics"],
  [{ commitIntervalMs: 0 }, "commitIntervalMs"],
  [{ autoOffsetReset: "first" as "latest" }, "autoOffsetReset"],
])("refuses %j by its name", (options, field) => {
  expect(() => consumer(options)).toThrow(expect.objectContaining({ code: "invalid_request", field }));
});

test("says what is wrong with its group, and ends", async () => {
  await expect(take(consumer({ group: "a".repeat(300) }), 1)).rejects.toMatchObject({ code: expect.stringMatching(/^invalid/) });
});

async function until(holds: () => boolean): Promise<void> {
  for (let i = 0; i < 1500 && !holds(); i++) await new Promise((resolve) => setTimeout(resolve, 10));
  expect(holds()).toBe(true);
}

/** The demo's one idea: flights go in, two readers take them out, and what came out is what went in. */
import { Brokerless, BrokerlessError } from "../../lib/client/index.ts";
import { nodeCodecs } from "../../lib/kafka/codecs/node.ts";
import { partitionOfKey } from "../../lib/kafka/index.ts";
import { Evidence } from "./evidence.ts";
import type { Flight, Flights } from "./flights.ts";
import { Meter, type Screen } from "./screen.ts";

export interface RunOptions {
  readonly url: string;
  readonly topic: string;
  readonly partitions: number;
  readonly rows: number;
  readonly flights: Flights;
  readonly screen: Screen;
  /** Called when so many thirds of the flights are acknowledged, while everything goes on. */
  readonly atThird?: (third: 1 | 2, acknowledged: number) => Promise<void>;
}

export interface RunResult {
  readonly sent: Evidence;
  readonly readers: readonly Evidence[];
  /** Acknowledgements that named another place than the one the flight must have. */
  readonly misplaced: number;
  /** Where the logs ended: as many records as there are offsets. */
  readonly logEnd: number;
}

/** A reader that waits in vain is given up. */
const PATIENCE_MS = 60_000;

export async function run(options: RunOptions): Promise<RunResult> {
  const { url, topic, partitions, rows, screen } = options;
  const client = new Brokerless({ url, codecs: nodeCodecs });
  // These flights are from 2001: kept by time they would be over at once.
  await client.admin.createTopic({ name: topic, partitions, configs: { "retention.ms": "-1" } });

  const meters = [new Meter("produce", rows), new Meter("reader 1", rows), new Meter("reader 2", rows)] as const;
  screen.watch(meters[0], meters[1]);
  const givenUp = new AbortController();
  // The first reader follows while the flights are written; the second comes when all are there.
  const first = readAll(client, options, meters[1], { follow: true, signal: givenUp.signal });
  const { sent, misplaced } = await produceAll(client, options, meters[0]);
  const timer = setTimeout(() => givenUp.abort(), PATIENCE_MS);
  const readers = [await first];
  clearTimeout(timer);
  screen.watch(...meters);
  meters[2].begin();
  readers.push(await readAll(client, options, meters[2], { follow: false }));
  screen.unwatch();
  const ends = await client.admin.partitions(topic);
  return { sent, readers, misplaced, logEnd: ends.reduce((sum, { logEndOffset }) => sum + logEndOffset, 0) };
}

async function produceAll(
  client: Brokerless,
  { topic, partitions, rows, flights, atThird }: RunOptions,
  meter: Meter,
): Promise<{ sent: Evidence; misplaced: number }> {
  const sent = new Evidence(partitions);
  const producer = client.producer();
  const encoder = new TextEncoder();
  const deliveries: Promise<void>[] = [];
  let misplaced = 0;
  let thirds = 0;
  let events: Promise<void> = Promise.resolve();
  const passThird = (): void => {
    const third = Math.floor((3 * meter.done) / rows);
    if (atThird === undefined || third <= thirds || third > 2) return;
    thirds = third;
    events = events.then(() => atThird(third as 1 | 2, meter.done));
    // Told when it is awaited.
    events.catch(() => {});
  };
  const deliver = async (chunk: readonly Flight[]): Promise<void> => {
    let sizeBytes = 0;
    const expected: { readonly partition: number; readonly offset: number }[] = [];
    const records = chunk.map((flight) => {
      const key = encoder.encode(flight.key);
      const value = encoder.encode(flight.value);
      sizeBytes += key.byteLength + value.byteLength;
      // What the producer will choose, as every client of Kafka's does.
      const partition = partitionOfKey(key, partitions);
      expected.push({ partition, offset: sent.add(partition, key, value) });
      return { topic, key, value, timestampMs: flight.timestampMs };
    });
    const places = await producer.sendBatch(records);
    for (const [i, { partition, offset }] of places.entries()) {
      const right = partition === expected[i]?.partition && (offset === expected[i].offset || offset === -1);
      if (!right) misplaced++;
    }
    meter.add(records.length, sizeBytes);
    passThird();
  };
  for await (const chunk of flights.read(rows)) {
    if (deliveries.length === 0) meter.begin();
    await producer.ready();
    deliveries.push(deliver(chunk));
    // Lets answers in between, so that what follows happens in the middle.
    if (deliveries.length % 4 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  await Promise.all(deliveries);
  await events;
  await producer.close();
  return { sent, misplaced };
}

async function readAll(
  client: Brokerless,
  { topic, partitions, rows }: RunOptions,
  meter: Meter,
  how: { readonly follow: boolean; readonly signal?: AbortSignal },
): Promise<Evidence> {
  const read = new Evidence(partitions);
  try {
    for await (const batch of client.reader({ topic, from: "earliest", ...how }).batches()) {
      let sizeBytes = 0;
      let records = 0;
      batch.visit((record) => {
        const key = record.key() ?? new Uint8Array();
        const value = record.value() ?? new Uint8Array();
        read.add(batch.partition, key, value);
        sizeBytes += key.byteLength + value.byteLength;
        records++;
      });
      meter.add(records, sizeBytes);
      if (how.follow && read.count >= rows) break;
    }
  } catch (error) {
    if (!(error instanceof BrokerlessError)) throw error;
    throw new Error(`${meter.name}: ${error.message}`, { cause: error });
  }
  return read;
}

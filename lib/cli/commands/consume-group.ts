/** `brokerless consume --group`: the records of a topic as a member of a consumer group is given them. */
import type { Brokerless, Consumer, RecordsBatch } from "../../client/index.ts";
import { UsageError } from "../exit-codes.ts";

/** How often a member looks whether all that it has is read. */
const LOOK_MS = 200;

/** Where records come from. */
export interface BatchSource {
  readonly batches: AsyncIterable<RecordsBatch>;
  /** Nothing from this offset on was printed, though it is in the batch. */
  readonly stopAt?: (batch: RecordsBatch, offset: number) => void;
}

export interface GroupSource {
  readonly group: string;
  readonly topic: string;
  readonly reset: "none" | "earliest" | "latest";
  readonly isolation: "read_committed" | "read_uncommitted";
  /** End at what is the end of the log now. */
  readonly exit: boolean;
  readonly signal: AbortSignal;
}

/** What the group decides cannot be asked for. Throws `UsageError`. */
export function refuseWithGroup(given: Readonly<Record<string, unknown>>): void {
  const name = Object.keys(given).find((one) => given[one] !== undefined);
  if (name === undefined) return;
  throw new UsageError(
    `--group and --${name}: the group says which partitions and from where on; --reset earliest begins a new group at the beginning`,
  );
}

/** Leaving the loop over `batches` leaves the group; whole batches that were printed are committed. */
export function groupBatches(client: Brokerless, source: GroupSource): BatchSource {
  const { group, topic, reset, isolation, exit, signal } = source;
  const consumer = client.consumer({ group, topics: topic, autoOffsetReset: reset, isolation, signal });
  async function* batches(): AsyncGenerator<RecordsBatch, void, void> {
    const ends = exit ? await endsOf(client, topic, isolation) : undefined;
    const looking = ends && setInterval(() => hasReadAll(consumer, ends) && consumer.close(), LOOK_MS);
    try {
      yield* consumer;
    } finally {
      clearInterval(looking);
    }
  }
  return { batches: batches(), stopAt: ({ partition }, offset) => consumer.seek({ topic, partition }, offset) };
}

async function endsOf({ admin }: Brokerless, topic: string, isolation: GroupSource["isolation"]): Promise<number[]> {
  const partitions = await admin.partitions(topic);
  const answers = partitions.map(({ partition }) => admin.offset(topic, partition, "latest", { isolation }));
  return (await Promise.all(answers)).map(({ offset }) => offset);
}

/** Of what it has; before it has joined, nothing. A partition that came later has no end. */
function hasReadAll(consumer: Consumer, ends: readonly number[]): boolean {
  const positions = consumer.positions();
  return positions.length > 0 && positions.every(({ partition, offset }) => offset >= (ends[partition] ?? 0));
}

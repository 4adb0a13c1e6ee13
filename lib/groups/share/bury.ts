/**
 * Dead letters: a record that was rejected, or delivered as often as may be, goes to the group's dead-letter topic with its key, value
 * and headers, and further headers that say why and where from. First the append, with a key of its own, then the write that takes it out
 * of the share partition: a crash between makes the append again, which is answered as a repetition (for 24 hours).
 */
import { BrokerlessError } from "../../base/errors.ts";
import { encodeBatch, type RecordHeader, type RecordView } from "../../kafka/index.ts";
import { nothingFound, type Place, readOffsets, walk } from "./read.ts";
import type { Run } from "./window.ts";

export interface Dead {
  readonly offset: number;
  readonly of: Pick<Run, "state" | "deliveries">;
}

interface Grave {
  readonly place: Place;
  readonly group: string;
  /** Of the share partition. */
  readonly name: string;
  /** The dead-letter topic. */
  readonly topic: string;
  readonly nowMs: number;
}

/** The headers' names, without `brokerless-dlq-`. */
export const DLQ_PREFIX = "brokerless-dlq-";
const READ_BYTES = 16 * 1024 * 1024;

const encoder = new TextEncoder();

/** What is done with: in the dead-letter topic, or no more in the log. */
export async function bury(grave: Grave, dead: readonly Dead[]): Promise<Dead[]> {
  const { place, name, topic } = grave;
  const byOffset = new Map(dead.map((one) => [one.offset, one]));
  const found = nothingFound();
  const looked = await readOffsets(
    place,
    [...byOffset.keys()].sort((a, b) => a - b),
    READ_BYTES,
    found,
  );
  const appends: { readonly offset: number; readonly batches: Uint8Array }[] = [];
  for (const piece of found.pieces) {
    walk(place, piece, (record) => {
      const one = byOffset.get(record.offset);
      if (one !== undefined) appends.push({ offset: record.offset, batches: letter(grave, record, one) });
    });
  }
  const { partitions } = await targetOf(grave);
  const partition = place.partition % partitions;
  const failed = new Set<number>();
  let failure: unknown;
  await Promise.all(
    appends.map(async ({ offset, batches }) => {
      const idempotencyKey = `dlq-${name}-${offset}`;
      try {
        await place.log.append({ topic, partition, batches }, { idempotencyKey, requestHash: idempotencyKey });
      } catch (error) {
        failed.add(offset);
        failure = error;
      }
    }),
  );
  if (appends.length > 0 && failed.size === appends.length) throw failure;
  return looked.flatMap((offset) => (failed.has(offset) ? [] : (byOffset.get(offset) as Dead)));
}

/** The dead-letter topic, made where it is not there. */
async function targetOf({ place: { log }, topic }: Grave): Promise<{ readonly partitions: number }> {
  try {
    return await log.topic(topic);
  } catch (error) {
    if (!(error instanceof BrokerlessError && error.code === "unknown_topic")) throw error;
  }
  try {
    return await log.createTopic({ name: topic });
  } catch (error) {
    if (!(error instanceof BrokerlessError && error.code === "topic_exists")) throw error;
    return log.topic(topic);
  }
}

function letter({ place, group, nowMs }: Grave, record: RecordView, { of }: Dead): Uint8Array {
  const facts = {
    topic: place.topic.name,
    partition: String(place.partition),
    offset: String(record.offset),
    group,
    reason: of.state === "rejected" ? "rejected" : "delivery-limit",
    deliveries: String(of.deliveries),
  };
  const headers: RecordHeader[] = [
    // A letter that died before and was sent again says only where it died last.
    ...record.headers().filter(({ key }) => !key.startsWith(DLQ_PREFIX)),
    ...Object.entries(facts).map(([key, value]) => ({ key: `${DLQ_PREFIX}${key}`, value: encoder.encode(value) })),
  ];
  return encodeBatch([{ key: record.key(), value: record.value(), headers }], { timestampMs: nowMs });
}

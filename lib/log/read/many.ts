/**
 * A read of many partitions with one long poll for all of them: the heads in one trip; they tell how much there is. Bytes
 * are read when that is enough, or when the time is over.
 */
import { BrokerlessError } from "../../base/errors.ts";
import type { Clock, Doorbell } from "../../ports/index.ts";
import { type Head, partitionName } from "../items/head.ts";
import type { Topics } from "../topics.ts";
import type { Isolation, PartitionRead, ReadManyRequest, ReadResult, Topic } from "../types.ts";
import { refsOfTail } from "./locate.ts";
import { type Amount, nothingAt, type Reader, readableEnd } from "./reader.ts";

export interface ReadManyParts {
  readonly reader: Reader;
  readonly topics: Topics;
  readonly clock: Clock;
  readonly doorbell: Doorbell;
}

type Answer = ReadResult | BrokerlessError;

/** What is known of one partition before its bytes are read. */
interface Place {
  readonly asked: PartitionRead;
  readonly topic: Topic;
  readonly head: Head;
  /** About how many bytes there are from the offset on, up to what is wanted of it. */
  readonly expectedBytes: number;
}

/** `alone` reads one partition from scratch: for those of which too little is known here. */
export async function readMany(
  parts: ReadManyParts,
  request: ReadManyRequest,
  alone: (asked: PartitionRead) => Promise<ReadResult>,
): Promise<Answer[]> {
  const { clock, doorbell } = parts;
  const { partitions, maxBytes, minBytes = 1, maxWaitMs = 0, isolation, signal } = request;
  const untilMs = clock.monotonicMs() + maxWaitMs;
  let places = await lookAt(parts, partitions, isolation);
  while (!isEnough(places, minBytes) && clock.monotonicMs() < untilMs && signal?.aborted !== true) {
    const names = places.flatMap((place) => (place === undefined ? [] : [partitionName(place.topic.id, place.asked.partition)]));
    // Wait first, then look: what is appended in between rings.
    const stop = new AbortController();
    const rung = doorbell.wait(names, untilMs, signal === undefined ? stop.signal : AbortSignal.any([signal, stop.signal]));
    try {
      places = await lookAt(parts, partitions, isolation);
      if (isEnough(places, minBytes)) break;
      await rung;
    } finally {
      stop.abort();
    }
    if (clock.monotonicMs() >= untilMs) places = await lookAt(parts, partitions, isolation);
  }
  return readPlaces(parts.reader, partitions, places, { maxBytes, isolation }, alone);
}

/** Undefined where the topic, the partition or its head is not known, or the offset is not in the log. */
async function lookAt(
  { reader, topics }: ReadManyParts,
  partitions: readonly PartitionRead[],
  isolation: Isolation | undefined,
): Promise<(Place | undefined)[]> {
  const known = await Promise.all(
    partitions.map(async ({ topic: name, topicId, partition }) => {
      try {
        const topic = await topics.get(name);
        const isIt = (topicId === undefined || topic.id === topicId) && partition >= 0 && partition < topic.partitions;
        return isIt ? topic : undefined;
      } catch (error) {
        if (error instanceof BrokerlessError) return undefined;
        throw error;
      }
    }),
  );
  const asked = partitions.flatMap(({ partition }, i) => {
    const topic = known[i];
    return topic === undefined ? [] : [{ topicId: topic.id, partition }];
  });
  const heads = await reader.heads(asked);
  let seen = 0;
  return partitions.map((one, i) => {
    const topic = known[i];
    const head = topic === undefined ? undefined : heads[seen++];
    if (topic === undefined || head === undefined || !(one.offset >= head.start && one.offset <= head.next)) return undefined;
    return {
      asked: one,
      topic,
      head,
      expectedBytes: Math.min(one.maxBytes, bytesBetween(head, one.offset, readableEnd(head, isolation))),
    };
  });
}

/** What is before the tail is more than anyone waits for. */
function bytesBetween(head: Head, offset: number, upTo: number): number {
  if (offset >= upTo) return 0;
  if (offset < head.tailBase) return Number.POSITIVE_INFINITY;
  let sizeBytes = 0;
  for (const { base, end, ref } of refsOfTail(head)) if (end > offset && base < upTo) sizeBytes += ref.sizeBytes;
  return sizeBytes;
}

function isEnough(places: readonly (Place | undefined)[], minBytes: number): boolean {
  let sizeBytes = 0;
  for (const place of places) {
    if (place === undefined) return true;
    sizeBytes += place.expectedBytes;
  }
  return sizeBytes >= minBytes;
}

/** Side by side as many as are expected to fit, in their order; those for which no room is left have nothing. */
async function readPlaces(
  reader: Reader,
  partitions: readonly PartitionRead[],
  places: readonly (Place | undefined)[],
  { maxBytes, isolation }: Amount,
  alone: (asked: PartitionRead) => Promise<ReadResult>,
): Promise<Answer[]> {
  const answers: Answer[] = [];
  let leftBytes = maxBytes;
  for (let from = 0; from < places.length; ) {
    let to = from;
    let expectedBytes = 0;
    do {
      expectedBytes += places[to]?.expectedBytes ?? 0;
      to++;
    } while (to < places.length && expectedBytes + (places[to]?.expectedBytes ?? 0) <= leftBytes);
    const read = await Promise.all(
      places.slice(from, to).map(async (place, i): Promise<Answer> => {
        try {
          if (place === undefined) return await alone(partitions[from + i] as PartitionRead);
          const { asked, topic, head } = place;
          if (place.expectedBytes === 0 || (leftBytes <= 0 && leftBytes < maxBytes)) return nothingAt(asked.offset, head);
          const amount = { maxBytes: Math.min(asked.maxBytes, leftBytes), isolation };
          return await reader.read(topic, asked.partition, asked.offset, amount, head);
        } catch (error) {
          if (error instanceof BrokerlessError) return error;
          throw error;
        }
      }),
    );
    for (const answer of read) {
      answers.push(answer);
      if (!(answer instanceof BrokerlessError)) leftBytes -= answer.sizeBytes;
    }
    from = to;
  }
  return answers;
}

/**
 * Where a repeated batch of an idempotent producer was written the first time: sought by producer, epoch and sequence in
 * the tail and the newest runs, back to the producer's fifth-last batch at least (as many as Kafka remembers).
 */
import { BrokerlessError } from "../../base/errors.ts";
import { type BatchHeader, batchHeaders, type PreparedBatches } from "../../kafka/index.ts";
import type { Table } from "../../ports/index.ts";
import { decodeHead } from "../items/head.ts";
import { decodeRun } from "../items/run.ts";
import { type LocatedRef, refsOfRun, refsOfTail } from "../read/locate.ts";
import type { Reader } from "../read/reader.ts";
import type { Topic } from "../types.ts";
import type { Lane } from "./lane.ts";

const BATCHES_REMEMBERED = 5;
/** However many producers share the partition, no more runs than these are searched. */
const RUNS_MOST = 64;

/**
 * Answers the base offset of the first writing. `lastBase`: where the producer's last batch begins, wherever it is by
 * now. Throws `duplicate_sequence` when it is too old to be found.
 */
export async function findDuplicate(
  table: Table,
  reader: Reader,
  topic: Topic,
  lane: Lane,
  repeated: PreparedBatches,
  lastBase: number,
): Promise<number> {
  const wanted = repeated.batches[0];
  const item = await table.get(lane.headKey);
  if (wanted !== undefined && item !== undefined) {
    const head = decodeHead(item);
    const isIt = (batch: BatchHeader): boolean =>
      batch.producerId === wanted.producerId &&
      batch.producerEpoch === wanted.producerEpoch &&
      batch.baseSequence === wanted.baseSequence &&
      // Of a batch that was compacted fewer records are left.
      batch.lastOffsetDelta + 1 === wanted.recordCount;
    for (const bytes of lastBase < head.start ? [] : await batchAt(reader, topic, lane.partition, lastBase)) {
      for (const batch of batchHeaders(bytes)) if (isIt(batch)) return batch.baseOffset;
    }
    let seen = 0;
    const look = async (refs: readonly LocatedRef[]): Promise<number | undefined> => {
      for (const one of refs.toReversed()) {
        if (one.end <= head.start) return undefined;
        const part = await reader.batchesOf(topic, lane.partition, one, one.base, Number.POSITIVE_INFINITY);
        if (part === undefined) continue;
        for (const batch of batchHeaders(part.bytes)) {
          if (batch.producerId !== wanted.producerId || batch.producerEpoch !== wanted.producerEpoch) continue;
          seen++;
          if (isIt(batch)) return batch.baseOffset;
        }
        if (seen >= BATCHES_REMEMBERED) return undefined;
      }
      return undefined;
    };
    let found = await look(refsOfTail(head));
    if (found === undefined && seen < BATCHES_REMEMBERED) {
      const runs = await table.range(lane.pk, { from: "R#", to: "R#~", reverse: true, limit: RUNS_MOST });
      for (const run of runs) {
        if (decodeRun(run.item).base >= head.tailBase) continue;
        found = await look(refsOfRun(run));
        if (found !== undefined || seen >= BATCHES_REMEMBERED) break;
      }
    }
    if (found !== undefined) return found;
  }
  throw new BrokerlessError(
    "duplicate_sequence",
    `producer ${wanted?.producerId} repeats sequence ${wanted?.baseSequence}, which is written already; its offset is no longer known`,
    { outcome: "applied" },
  );
}

/** The batch that holds this offset; nothing when the log start has passed it meanwhile. */
async function batchAt(reader: Reader, topic: Topic, partition: number, offset: number): Promise<readonly Uint8Array[]> {
  try {
    return (await reader.read(topic, partition, offset, { maxBytes: 1 })).batches;
  } catch (error) {
    if (error instanceof BrokerlessError && error.code === "offset_out_of_range") return [];
    throw error;
  }
}

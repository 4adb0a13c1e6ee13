/**
 * Dead letters back to where they came from. The group takes them from its dead-letter topic as it takes records of any other, appends each to
 * the partition that its headers name, with a key of its own, then accepts it. A crash between makes the append again, which is
 * answered as a repetition (for 24 hours).
 */
import { BrokerlessError } from "../../base/errors.ts";
import { batchHeaders, type Codecs, encodeBatch, forEachRecord, type RecordHeader, type RecordView } from "../../kafka/index.ts";
import type { LogApi } from "../../log/types.ts";
import { DLQ_PREFIX } from "./bury.ts";
import type { AcquiredPartition, ShareGroupsApi } from "./types.ts";

export interface RedriveRequest {
  readonly group: string;
  /** The dead-letter topic. */
  readonly topic: string;
  readonly holder: string;
  readonly maxRecords: number;
  /** Throws where nothing may be written to this topic. */
  readonly checkTopic: (topic: string) => void;
}

export interface RedriveAnswer {
  readonly redriven: number;
  /** Of other groups, or no dead letters at all: left where they are. */
  readonly skipped: number;
  /** Given back, to be tried again. */
  readonly failed: readonly { readonly partition: number; readonly offset: number; readonly error: BrokerlessError }[];
}

interface Parts {
  readonly log: LogApi;
  readonly shares: ShareGroupsApi;
  readonly codecs: Codecs;
  readonly nowMs: number;
}

const MAX_BYTES = 8 * 1024 * 1024;
const [ACCEPT, RELEASE] = [1, 2] as const;

export async function redrive(parts: Parts, request: RedriveRequest): Promise<RedriveAnswer> {
  const { log, shares } = parts;
  const { group, holder, topic: name } = request;
  const topic = await log.topic(name);
  const { partitions } = await shares.acquire({
    group,
    holder,
    partitions: Array.from({ length: topic.partitions }, (_, partition) => ({ topicId: topic.id, partition })),
    maxRecords: request.maxRecords,
    maxBytes: MAX_BYTES,
    maxWaitMs: 0,
    firstFrom: "earliest",
  });
  let redriven = 0;
  let skipped = 0;
  const failed: { partition: number; offset: number; error: BrokerlessError }[] = [];
  for (const one of partitions) {
    if (one.error !== undefined) throw one.error;
    for (const letter of lettersOf(one, parts.codecs, parts.nowMs)) {
      const { offset, to } = letter;
      const { partition } = one;
      let type: 1 | 2 = ACCEPT;
      if (to === undefined || to.group !== group) skipped++;
      else {
        try {
          request.checkTopic(to.topic);
          const idempotencyKey = `redrive-${topic.id}-${partition}-${offset}`;
          await log.append(
            { topic: to.topic, partition: to.partition, batches: letter.batch },
            { idempotencyKey, requestHash: idempotencyKey },
          );
          redriven++;
        } catch (error) {
          if (!(error instanceof BrokerlessError)) throw error;
          failed.push({ partition, offset, error });
          type = RELEASE;
        }
      }
      const batches = [{ firstOffset: offset, lastOffset: offset, types: [type] }];
      const [settled] = await shares.acknowledge({ group, holder, partitions: [{ topicId: topic.id, partition, batches }] });
      if (settled?.error !== undefined && type === ACCEPT) throw settled.error;
    }
  }
  return { redriven, skipped, failed };
}

interface Letter {
  readonly offset: number;
  /** Undefined: it has no headers that say so. */
  readonly to: { readonly topic: string; readonly partition: number; readonly group: string } | undefined;
  readonly batch: Uint8Array;
}

function lettersOf({ batches, acquired }: AcquiredPartition, codecs: Codecs, nowMs: number): Letter[] {
  const letters: Letter[] = [];
  for (const bytes of batches) {
    for (const header of batchHeaders(bytes)) {
      forEachRecord(bytes, header.at, codecs, (record) => {
        const { offset } = record;
        if (acquired.some(({ firstOffset, lastOffset }) => firstOffset <= offset && offset <= lastOffset)) {
          letters.push(letterOf(record, nowMs));
        }
      });
    }
  }
  return letters;
}

function letterOf(record: RecordView, nowMs: number): Letter {
  const facts = new Map<string, string>();
  const headers: RecordHeader[] = [];
  for (const header of record.headers()) {
    if (!header.key.startsWith(DLQ_PREFIX)) headers.push(header);
    else facts.set(header.key.slice(DLQ_PREFIX.length), new TextDecoder().decode(header.value ?? undefined));
  }
  const [topic, partition, group] = [facts.get("topic"), facts.get("partition"), facts.get("group")];
  const known = topic !== undefined && group !== undefined && /^\d{1,5}$/.test(partition ?? "");
  return {
    offset: record.offset,
    to: known ? { topic, partition: Number(partition), group } : undefined,
    batch: encodeBatch([{ key: record.key(), value: record.value(), headers }], { timestampMs: nowMs }),
  };
}

/** A log over memory with a clock that the test moves, for the unit tests of the log. */
import { nodeCodecs } from "../../../lib/kafka/codecs/node.ts";
import { batchHeaders, decodeBatch, encodeBatch, type KafkaRecord, type RecordInput } from "../../../lib/kafka/index.ts";
import { createLog, type LogApi, type LogParts } from "../../../lib/log/index.ts";
import type { Clock, Storage } from "../../../lib/ports/index.ts";
import { localDoorbell } from "../../../lib/storage/local/doorbell.ts";
import { memoryStorage } from "../../../lib/storage/memory/index.ts";
import { systemClock } from "../../../lib/storage/system/clock.ts";
import { systemIds } from "../../../lib/storage/system/ids.ts";

export const START_MS = 1_700_000_000_000;

export class TestClock implements Clock {
  ms = START_MS;
  nowMs(): number {
    return this.ms;
  }
  monotonicMs(): number {
    return this.ms;
  }
  /** Real time passes only as far as a timer needs it. */
  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return systemClock.sleep(Math.min(ms, 20), signal).then(() => {
      this.ms += ms;
    });
  }
}

export interface Bench {
  readonly log: LogApi;
  readonly clock: TestClock;
  readonly storage: Storage;
  /** Another process over the same storage. */
  another(parts?: Partial<LogParts>): LogApi;
}

export function logOverMemory(parts: Partial<LogParts> = {}): Bench {
  const clock = (parts.clock as TestClock | undefined) ?? new TestClock();
  const storage = parts.storage ?? memoryStorage({ clock });
  const another = (more: Partial<LogParts> = {}): LogApi =>
    createLog({ storage, clock, ids: systemIds(clock), doorbell: localDoorbell(clock), codecs: nodeCodecs, ...parts, ...more });
  return { log: another(), clock, storage, another };
}

const encoder = new TextEncoder();

export function record(value: string | null, key: string | null = null, timestampMs?: number): RecordInput {
  return {
    key: key === null ? null : encoder.encode(key),
    value: value === null ? null : encoder.encode(value),
    ...(timestampMs === undefined ? {} : { timestampMs }),
  };
}

export interface From {
  readonly id: number;
  readonly epoch?: number;
  readonly sequence: number;
  readonly transactional?: boolean;
}

/** One batch of text values. */
export function batchOf(values: readonly string[], from?: From): Uint8Array {
  return encodeBatch(
    values.map((value) => record(value)),
    {
      timestampMs: START_MS,
      ...(from && {
        producerId: from.id,
        producerEpoch: from.epoch ?? 0,
        baseSequence: from.sequence,
        transactional: from.transactional ?? false,
      }),
    },
  );
}

/** Everything from an offset on. */
export async function readAll(log: LogApi, topic: string, partition = 0, from = 0, maxBytes?: number): Promise<KafkaRecord[]> {
  const records: KafkaRecord[] = [];
  for (let offset = from; ; ) {
    const read = await log.read({ topic, partition, offset, ...(maxBytes === undefined ? {} : { maxBytes }) });
    for (const bytes of read.batches) {
      for (const batch of batchHeaders(bytes)) {
        for (const one of decodeBatch(bytes, batch.at, nodeCodecs)) if (one.offset >= offset) records.push(one);
      }
    }
    offset = read.nextOffset;
    if (offset >= read.logEndOffset) return records;
  }
}

export function texts(records: readonly KafkaRecord[]): (string | null)[] {
  return records.map(({ value }) => (value === null ? null : new TextDecoder().decode(value)));
}

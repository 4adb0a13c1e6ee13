/** A compacted topic, what was appended to it, and what compaction may have left of it. */
import { expect } from "vitest";
import { nodeCodecs } from "../../../lib/kafka/codecs/node.ts";
import { type CompressionName, encodeBatch } from "../../../lib/kafka/index.ts";
import { SEAL_POLICY } from "../../../lib/log/append/seal.ts";
import { decodeSegment, segmentObject } from "../../../lib/log/items/segment.ts";
import { type CompactParts, compact } from "../../../lib/log/jobs/compact/index.ts";
import { merge, roll } from "../../../lib/log/jobs/index.ts";
import type { JobRun } from "../../../lib/log/jobs/job.ts";
import { ROLL_POLICY } from "../../../lib/log/jobs/plan-roll.ts";
import { verifySegment } from "../../../lib/log/verify/segment.ts";
import type { Storage } from "../../../lib/ports/index.ts";
import { systemDigest } from "../../../lib/storage/system/digest.ts";
import { systemIds } from "../../../lib/storage/system/ids.ts";
import { type Bench, type From, logOverMemory, readAll, record } from "./support.ts";

export const FOREVER: JobRun = { untilMs: Number.POSITIVE_INFINITY };
/** Of 16 places: no smaller map is made. */
const SMALL_MAP_BYTES = 16 * 24;

export interface Written {
  readonly offset: number;
  readonly key: string;
  readonly value: string | null;
}

export class CompactedTopic {
  readonly bench: Bench;
  readonly written: Written[] = [];
  readonly parts: CompactParts;

  constructor(bench: Bench, groupSegments: number) {
    this.bench = bench;
    const { storage, clock } = bench;
    this.parts = {
      storage,
      clock,
      ids: systemIds(clock),
      codecs: nodeCodecs,
      digest: systemDigest,
      mapBytes: SMALL_MAP_BYTES,
      groupSegments,
    };
  }

  static async make(
    configs: Record<string, string> = {},
    { storage, groupSegments = 90 }: { storage?: Storage; groupSegments?: number } = {},
  ): Promise<CompactedTopic> {
    const bench = logOverMemory({ sealing: { ...SEAL_POLICY, runRefs: 2 }, ...(storage && { storage }) });
    await bench.log.createTopic({ name: "t", configs: { "cleanup.policy": "compact", ...configs } });
    return new CompactedTopic(bench, groupSegments);
  }

  /** One batch. */
  async append(
    records: readonly (readonly [key: string, value: string | null])[],
    compression: CompressionName = "none",
    from?: From,
  ): Promise<{ readonly baseOffset: number; readonly duplicate: boolean }> {
    const timestampMs = this.bench.clock.ms;
    const batches = encodeBatch(
      records.map(([key, value]) => record(value, key, timestampMs)),
      {
        timestampMs,
        compression,
        codecs: nodeCodecs,
        ...(from && { producerId: from.id, producerEpoch: from.epoch ?? 0, baseSequence: from.sequence }),
      },
    );
    const answer = await this.bench.log.append({ topic: "t", partition: 0, batches });
    if (!answer.duplicate)
      for (const [i, [key, value]] of records.entries()) this.written.push({ offset: answer.baseOffset + i, key, value });
    return answer;
  }

  async roll(): Promise<void> {
    this.bench.clock.ms += 10;
    await roll({ ...this.parts, policy: { ...ROLL_POLICY, graceMs: 0, segmentBytes: 400 } }, FOREVER);
  }

  merge(): Promise<unknown> {
    return merge(this.parts, FOREVER);
  }

  compact(run: Partial<JobRun> = {}, storage: Storage = this.parts.storage) {
    return compact({ ...this.parts, storage }, { ...FOREVER, ...run });
  }

  async left(): Promise<Written[]> {
    const records = await readAll(this.bench.log, "t", 0, (await this.bench.log.partitions("t"))[0]?.logStartOffset, 700);
    const text = (bytes: Uint8Array | null) => (bytes === null ? null : new TextDecoder().decode(bytes));
    return records.map(({ offset, key, value }) => ({ offset, key: text(key) as string, value: text(value) }));
  }

  /** The end of what is in segments: above it nothing is compacted. */
  async rolledEnd(): Promise<number> {
    const { id } = await this.bench.log.topic("t");
    const [newest] = await this.parts.storage.table.range(`P#${id}#0`, { from: "S#", to: "S#~", reverse: true, limit: 1 });
    return newest === undefined ? 0 : Number(newest.key.sk.slice(2)) + 1;
  }

  /** What must hold whatever was done of a pass: nothing invented, the newest kept, the state of every key the same. */
  async check(): Promise<void> {
    const left = await this.left();
    const end = await this.rolledEnd();
    const all = new Map(this.written.map((one) => [one.offset, one]));
    for (const one of left) expect(one).toEqual(all.get(one.offset));
    for (const [i, one] of left.entries()) if (i > 0) expect(one.offset).toBeGreaterThan((left[i - 1] as Written).offset);
    expect(left.filter(({ offset }) => offset >= end)).toEqual(this.written.filter(({ offset }) => offset >= end));
    expect(state(left)).toEqual(state(this.written));
    await this.#checkSegments();
  }

  /** Every byte of every segment against its item: CRCs, offsets, the sparse index. */
  async #checkSegments(): Promise<void> {
    const { id } = await this.bench.log.topic("t");
    const { table, bucket } = this.parts.storage;
    for (const { key, item } of await table.range(`P#${id}#0`, { from: "S#", to: "S#~" })) {
      const segment = decodeSegment(key, item);
      const verdict = await verifySegment(bucket, segmentObject(id, 0, segment), segment, true);
      expect(verdict?.problems).toEqual([]);
    }
  }

  /** Of each key one record below the rolled end, and nothing that was deleted long ago. */
  async checkCompacted(): Promise<void> {
    await this.check();
    const end = await this.rolledEnd();
    const below = (await this.left()).filter(({ offset }) => offset < end);
    const latest = new Map(this.written.filter(({ offset }) => offset < end).map((one) => [one.key, one]));
    for (const one of below) expect(one).toEqual(latest.get(one.key));
    for (const one of latest.values()) if (one.value !== null) expect(below).toContainEqual(one);
  }
}

/** Every read of an object takes a millisecond, so that a run's time can be over in the middle of it. */
export function timed({ parts: { storage }, bench: { clock } }: CompactedTopic): Storage {
  return {
    ...storage,
    bucket: new Proxy(storage.bucket, {
      get: (bucket, name) => {
        if (name === "get") clock.ms += 1;
        return (Reflect.get(bucket, name) as (...args: unknown[]) => unknown).bind(bucket);
      },
    }),
  };
}

/** The latest value of every key that has one. */
function state(records: readonly Written[]): Record<string, string> {
  const latest = new Map(records.map(({ key, value }) => [key, value]));
  return Object.fromEntries([...latest].filter(([, value]) => value !== null).sort()) as Record<string, string>;
}

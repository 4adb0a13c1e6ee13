/**
 * Everything that works behind the writers, as busy as it can be: the jobs, each twice at once, DeleteRecords, and readers
 * that read whatever there is. Grace times are short, for nothing here is ever answered late.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { BrokerlessError } from "../../../lib/base/errors.ts";
import { batchHeaders } from "../../../lib/kafka/index.ts";
import { SEAL_POLICY } from "../../../lib/log/append/seal.ts";
import { merge, retain, roll, sweep } from "../../../lib/log/jobs/index.ts";
import { systemClock } from "../../../lib/storage/system/clock.ts";
import { systemIds } from "../../../lib/storage/system/ids.ts";
import type { Engine } from "./engine.ts";
import { PARTITIONS, TOPIC } from "./load.ts";

/** Of each partition at least so much is kept, unless DeleteRecords was asked for more. */
export const KEPT_BYTES = 200_000;
const GRACE_MS = 40;
const ROLLS = { graceMs: GRACE_MS, segmentBytes: 60_000, runsMost: 6, sealRefs: SEAL_POLICY.runRefs };
const JOB_MS = 2000;

type Engined = Pick<Engine, "log" | "storage">;

/** One pass of every job. */
export async function passOfJobs({ storage }: Engined): Promise<void> {
  const parts = { storage, clock: systemClock, ids: systemIds(systemClock) };
  const run = { untilMs: systemClock.monotonicMs() + JOB_MS, byHand: true };
  await roll({ ...parts, policy: ROLLS }, run);
  await merge(parts, run);
  await retain({ ...parts, graceMs: GRACE_MS }, run);
  // Floors and fences protect what is being written, whatever its age; the topic was there before.
  await sweep({ ...parts, graceMs: 0 }, run);
}

/** Never ends; `deleting` is called before records are deleted. */
export async function keepBusy(
  engine: Engined,
  deleting: (what: { readonly partition: number; readonly deletingTo: number }) => void,
): Promise<void> {
  const again = async (pauseMs: number, run: () => Promise<unknown>): Promise<never> => {
    for (;;) {
      await run();
      await sleep(Math.random() * pauseMs);
    }
  };
  const anyPartition = (): number => Math.floor(Math.random() * PARTITIONS);
  await Promise.all([
    again(5, () => passOfJobs(engine)),
    again(5, () => passOfJobs(engine)),
    again(300, async () => {
      const partition = anyPartition();
      const [start, end] = await rangeOf(engine, partition);
      // Mostly a little, so that whole segments are left to retention.
      const deletingTo = start + Math.floor((end - start) * Math.random() ** 4);
      deleting({ partition, deletingTo });
      await engine.log.deleteRecords(TOPIC, partition, deletingTo);
    }),
    ...Array.from({ length: 3 }, () => again(20, () => readSome(engine, anyPartition()))),
  ]);
}

async function rangeOf({ log }: Engined, partition: number): Promise<[start: number, end: number]> {
  const [info] = await log.partitions(TOPIC, [partition]);
  return [info?.logStartOffset ?? 0, info?.logEndOffset ?? 0];
}

/** Reads on from anywhere; offsets are dense, and the only error is that the log start has moved on. */
async function readSome(engine: Engined, partition: number): Promise<void> {
  const [start, end] = await rangeOf(engine, partition);
  let next = start + Math.floor((end - start) * Math.random());
  try {
    for (let page = 0; page < 5; page++) {
      const { batches, nextOffset } = await engine.log.read({ topic: TOPIC, partition, offset: next, maxBytes: 50_000 });
      let first = page === 0;
      for (const bytes of batches) {
        for (const { baseOffset, recordCount } of batchHeaders(bytes)) {
          const fits = first ? baseOffset <= next && next < baseOffset + recordCount : baseOffset === next;
          if (!fits) throw new Error(`a reader of partition ${partition} wanted ${next} and got a batch at ${baseOffset}`);
          first = false;
          next = baseOffset + recordCount;
        }
      }
      if (nextOffset !== next) throw new Error(`a reader of partition ${partition} is at ${next} and is sent to ${nextOffset}`);
    }
  } catch (error) {
    if (!(error instanceof BrokerlessError && error.code === "offset_out_of_range")) throw error;
  }
}

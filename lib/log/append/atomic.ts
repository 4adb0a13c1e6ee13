/**
 * Appends to several partitions at once, all or none: blobs, then one transaction over the heads (and what goes with them:
 * committed offsets), then the base offsets are read back by blob id (a transaction returns nothing).
 *
 * A crash before the transaction leaves blobs that nothing refers to; after it, everything. Another write to one of the
 * heads makes it `Contended`: not applied, tried again after a while.
 */
import { BrokerlessError } from "../../base/errors.ts";
import type { PreparedBatches } from "../../kafka/index.ts";
import { type Check, type Clock, type Doorbell, type Ids, type Storage, StorageError, type Write } from "../../ports/index.ts";
import { baseOffsetInTail, decodeHead } from "../items/head.ts";
import type { Reader } from "../read/reader.ts";
import { fromStorage } from "../storage-errors.ts";
import { unknownTopic } from "../topics.ts";
import type { AppendResult, Companion, Topic } from "../types.ts";
import { LaneBatch } from "./batch.ts";
import type { Claim } from "./claim.ts";
import { AGAIN_WITHIN_MS, type PreparedCommit, prepareCommit } from "./commit.ts";
import { findDuplicate } from "./duplicates.ts";
import { type Lane, producersOf } from "./lane.ts";
import { baseOffsetBehindTail, settleUnknown } from "./outcome.ts";
import { appendResult } from "./result.ts";
import { type SealPolicy, sealWhenDue } from "./seal.ts";

const ATTEMPTS_MOST = 20;
/** Of one transaction of the storage. */
const ITEMS_MOST = 100;

export interface AtomicPart {
  readonly topic: Topic;
  readonly lane: Lane;
  readonly prepared: PreparedBatches;
  readonly logAppendTime: boolean;
}

export interface AtomicParts {
  readonly storage: Storage;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly doorbell: Doorbell;
  readonly reader: Reader;
  readonly sealing: SealPolicy;
}

/** Commits all or none; throws what a plain append throws. */
export async function appendAll(
  parts: readonly AtomicPart[],
  companion: Companion | undefined,
  claim: Claim | undefined,
  to: AtomicParts,
): Promise<AppendResult[]> {
  const { storage, clock, ids } = to;
  const startedMs = clock.monotonicMs();
  let attempt = 0;
  for (; attempt < ATTEMPTS_MOST && (attempt === 0 || clock.monotonicMs() - startedMs < AGAIN_WITHIN_MS); attempt++) {
    await Promise.all(parts.map(({ lane, prepared }) => lane.lookUp(storage.table, producersOf(prepared), true)));
    const judged = judgeAll(parts, claim);
    if (judged === "duplicates") return Promise.all(parts.map((part) => answerDuplicate(part, to)));
    const beside = companion === undefined ? [] : await companion.prepare();
    checkItems(parts.length, beside.length);
    const prepared = prepareCommit(judged, storage, clock, ids);
    const { blobIds } = prepared;
    const fromOffsets = judged.map(({ lane }) => lane.head?.next ?? 0);
    await claim?.hold(
      judged.map(({ lane }, i) => ({
        partition: lane.name,
        blobId: blobIds[i] as Uint8Array,
        fromOffset: fromOffsets[i] as number,
      })),
    );
    if (await transact(parts, judged, prepared, beside, fromOffsets, to)) {
      return readBack(parts, blobIds, fromOffsets, prepared.appendTimeMs, to);
    }
    await clock.sleep(2 ** Math.min(attempt, 8) * (0.5 + ids.random()));
  }
  throw new BrokerlessError("throttled", `the partitions are too busy: ${attempt} commits of the request were refused`, {
    retryAfterMs: 1000,
  });
}

function judgeAll(parts: readonly AtomicPart[], claim: Claim | undefined): LaneBatch[] | "duplicates" {
  let duplicates = 0;
  const batches = parts.map((part) => {
    const { topic, lane, prepared, logAppendTime } = part;
    if (lane.head === undefined) throw unknownTopic(topic.name);
    const batch = new LaneBatch(lane);
    const pending = {
      topic,
      prepared,
      logAppendTime,
      claim,
      attempts: 0,
      judgedAfresh: true,
      resolve() {},
      reject() {},
    };
    const verdict = batch.judge(pending);
    if (verdict.kind === "refused") throw verdict.error;
    if (verdict.kind === "duplicate") duplicates++;
    else batch.add(pending);
    return batch;
  });
  if (duplicates === 0) return batches;
  if (duplicates === parts.length) return "duplicates";
  throw new BrokerlessError(
    "out_of_order_sequence",
    "some partitions have their batches already and others do not: not a repetition of one request",
  );
}

function checkItems(partitions: number, beside: number): void {
  if (partitions + beside <= ITEMS_MOST) return;
  throw new BrokerlessError(
    "invalid_request",
    `the transaction writes ${partitions + beside} items (${partitions} partitions, ${beside} for what is committed with them); at most ${ITEMS_MOST} are written as one`,
    { field: "records" },
  );
}

/** True when applied, false when certainly not and worth another try. */
async function transact(
  parts: readonly AtomicPart[],
  batches: readonly LaneBatch[],
  prepared: PreparedCommit,
  beside: readonly (Write | Check)[],
  fromOffsets: readonly number[],
  { storage, clock }: AtomicParts,
): Promise<boolean> {
  const [blobs] = await storage.table.inOrder([prepared.blobs]);
  for (const one of blobs ?? []) {
    if (one.ok) continue;
    if (one.error.kind === "unknown" || one.error.kind === "contended" || one.error.kind === "throttled") return false;
    throw fromStorage(one.error, "append");
  }
  try {
    await storage.table.atomically([...prepared.updates, ...beside]);
    return true;
  } catch (error) {
    if (!(error instanceof StorageError)) throw error;
    if (error.kind === "contended" || error.kind === "throttled") return false;
    if (error.kind === "condition_failed") {
      const at = error.index ?? 0;
      // What goes with the append has changed, and is prepared again.
      if (at >= batches.length) return false;
      if (error.item === undefined) throw unknownTopic((parts[at] as AtomicPart).topic.name);
      batches[at]?.lane.saw(error.item);
      return false;
    }
    if (error.kind !== "unknown") throw fromStorage(error, "append");
    // All or none: a floor raised in one partition ends the whole transaction, and its ref tells of all.
    const { lane } = batches[0] as LaneBatch;
    const outcome = await settleUnknown(storage.table, clock, lane, prepared.blobIds[0] as Uint8Array, fromOffsets[0] as number);
    if (outcome.kind === "gone") throw unknownTopic((parts[0] as AtomicPart).topic.name);
    return outcome.kind === "applied";
  }
}

async function readBack(
  parts: readonly AtomicPart[],
  blobIds: readonly Uint8Array[],
  fromOffsets: readonly number[],
  appendTimeMs: number,
  to: AtomicParts,
): Promise<AppendResult[]> {
  const baseOffsets = await committedOffsets(
    parts.map(({ lane }) => lane),
    blobIds,
    fromOffsets,
    to,
  );
  return parts.map((part, i) => {
    const { lane, logAppendTime } = part;
    to.doorbell.ring(lane.name);
    sealWhenDue({ table: to.storage.table, clock: to.clock, ids: to.ids, policy: to.sealing }, lane, 1);
    return appendResult(part, lane, baseOffsets[i] as number, {
      duplicate: false,
      logAppendTimeMs: logAppendTime ? appendTimeMs : undefined,
    });
  });
}

/** The base offsets that committed blobs got. Throws with outcome `applied` when one of them cannot be found any more. */
export async function committedOffsets(
  lanes: readonly Lane[],
  blobIds: readonly Uint8Array[],
  fromOffsets: readonly number[],
  { storage }: Pick<AtomicParts, "storage">,
): Promise<number[]> {
  try {
    const heads = await storage.table.getMany(lanes.map((lane) => lane.headKey));
    return await Promise.all(
      lanes.map(async (lane, i) => {
        const blobId = blobIds[i] as Uint8Array;
        const item = heads[i];
        if (item !== undefined) lane.saw(item);
        const found =
          (item && baseOffsetInTail(decodeHead(item), blobId)) ??
          (await baseOffsetBehindTail(storage.table, lane, blobId, fromOffsets[i] as number));
        if (found === undefined) throw new StorageError("unavailable", `partition ${lane.partition} is gone`);
        return found;
      }),
    );
  } catch (error) {
    throw new BrokerlessError("unavailable", "the records are written, but their offsets could not be read back", {
      outcome: "applied",
      cause: error,
    });
  }
}

async function answerDuplicate(part: AtomicPart, { storage, reader }: AtomicParts): Promise<AppendResult> {
  const { topic, lane, prepared } = part;
  const lastBase = lane.producer(prepared.batches[0]?.producerId ?? -1).state?.baseOffset ?? -1;
  const baseOffset = await findDuplicate(storage.table, reader, topic, lane, prepared, lastBase);
  return appendResult(part, lane, baseOffset, { duplicate: true, logAppendTimeMs: undefined });
}

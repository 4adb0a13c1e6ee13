/**
 * The end of a producer's transaction in one partition (`docs/decisions/005-transactions.md`, T3 and T4).
 *
 * Steps, each on condition of what the one before left, and what a crash between them leaves:
 * 1. the marker is appended. A commit takes the transaction out of the head with it, and is over. An abort notes where its
 *    marker is; then: the last stable offset stays before the transaction;
 * 2. the abort is put into the index; then: the same, and whoever comes next finds it there;
 * 3. the transaction goes out of the head.
 * Where nothing was written, only the count of changes grows, so that a batch that comes late finds its guard void.
 *
 * E1  Each step holds only while the transaction is the one that was read (by its first offset), so a step whose answer was lost
 *     may be repeated, and one that comes late does nothing.
 * E2  What was read is the transaction that is to end: after it was read, `stillDue` found that the transaction has not ended, and
 *     the producer's next one begins only after that. So a process that was held up does not end the next one.
 */
import { BrokerlessError } from "../../base/errors.ts";
import { inParallel } from "../../base/parallel.ts";
import { encodeTransactionMarker } from "../../kafka/index.ts";
import { type Change, type Condition, type Item, StorageError, type Update } from "../../ports/index.ts";
import type { AtomicParts } from "../append/atomic.ts";
import type { Lane } from "../append/lane.ts";
import { type SealPolicy, sealWhenDue } from "../append/seal.ts";
import { type AbortedItem, putAborted } from "../items/aborted.ts";
import { type Head, openTransactionOf } from "../items/head.ts";
import { packProducer, producerInHead } from "../items/producer.ts";
import { packRef } from "../items/ref.ts";
import { fromStorage, isRefusal } from "../storage-errors.ts";
import type { TransactionEnd } from "../types.ts";

const GIVE_UP_MS = 20_000;
const PARTITIONS_AT_ONCE = 16;
/** With it as last sequence the next one is 0, and no batch of this epoch is a repetition. */
const BEFORE_FIRST_SEQUENCE = 2 ** 31 - 1;

export type EndParts = Omit<AtomicParts, "reader"> & { readonly sealing: SealPolicy };

/** Throws `unavailable` where the storage is away for 20 seconds: some of it may be done, and it may be asked for again. */
export async function endTransaction(
  parts: EndParts,
  lanes: readonly Lane[],
  end: TransactionEnd,
  stillDue: () => Promise<boolean>,
): Promise<void> {
  const { storage, clock, ids } = parts;
  const until = clock.monotonicMs() + GIVE_UP_MS;
  let left = lanes;
  for (let pauseMs = 2; ; pauseMs = Math.min(pauseMs * 2, 500)) {
    let failed: unknown = new BrokerlessError("unavailable", "the partitions are too busy to end a transaction in them", {
      retryAfterMs: 1000,
    });
    try {
      const items = await storage.table.getMany(left.map(({ headKey }) => headKey));
      if (!(await stillDue())) return;
      const done = await inParallel(left, PARTITIONS_AT_ONCE, (lane, i) => attempt(parts, lane, items[i], end));
      left = left.filter((_, i) => done[i] !== true);
      failed = done.find((one) => one instanceof StorageError) ?? failed;
    } catch (error) {
      if (!(error instanceof StorageError)) throw error;
      failed = error;
    }
    if (left.length === 0) return;
    if (clock.monotonicMs() >= until) throw fromStorage(failed, "end a transaction");
    await clock.sleep(Math.ceil(pauseMs * ids.random()));
  }
}

/** True when the partition is done. */
async function attempt(
  parts: EndParts,
  lane: Lane,
  item: Item | undefined,
  end: TransactionEnd,
): Promise<boolean | StorageError> {
  if (item === undefined) return true;
  try {
    const done = await step(parts, lane, lane.saw(item), end);
    if (done) parts.doorbell.ring(lane.name);
    return done;
  } catch (error) {
    if (error instanceof StorageError) return error;
    throw error;
  }
}

/** What is next to do; true when all is done, false where the head has changed meanwhile. */
async function step(parts: EndParts, lane: Lane, head: Head, end: TransactionEnd): Promise<boolean> {
  const first = openTransactionOf(head, end.producerId);
  if (first === undefined) return (await update(parts, lane, nothingWritten(lane, end.producerId))) !== undefined;
  const marked = head.abortMarkers[String(end.producerId)] as number | undefined;
  // What was noted of an abort is followed, whoever asks: it is in the log.
  if (marked !== undefined)
    return close(parts, lane, head, { producerId: end.producerId, firstOffset: first, markerOffset: marked, stableOffset: -1 });
  const after = await mark(parts, lane, head, end, first);
  if (after === undefined) return false;
  if (end.commit) return true;
  return close(parts, lane, after, {
    producerId: end.producerId,
    firstOffset: first,
    markerOffset: after.abortMarkers[String(end.producerId)] as number,
    stableOffset: stableAfter(after, end.producerId),
  });
}

function nothingWritten({ headKey }: Lane, producerId: number): Update {
  return {
    op: "update",
    key: headKey,
    changes: [{ add: "k", by: 1 }],
    when: [{ item: "exists" }, { path: ["x", String(producerId)], is: "absent" }],
  };
}

/** Appends the marker. Answers the head after it. */
async function mark(parts: EndParts, lane: Lane, head: Head, end: TransactionEnd, first: number): Promise<Head | undefined> {
  const { storage, clock, ids, sealing } = parts;
  const { producerId, producerEpoch, commit } = end;
  const entry = String(producerId);
  const timestampMs = clock.nowMs();
  const bytes = encodeTransactionMarker({ producerId, producerEpoch, commit, timestampMs });
  const blobId = ids.ulid(head.floor);
  const place = storage.blobs.place(bytes.byteLength);
  const ref = packRef({
    blobId,
    place,
    claimed: false,
    shared: false,
    positionBytes: 0,
    sizeBytes: bytes.byteLength,
    recordCount: 1,
    maxTimestampMs: timestampMs,
  });
  const state = producerInHead(head, producerId);
  const when: Condition[] = [
    { item: "exists" },
    { path: "f", is: "<", value: blobId },
    { path: "t", is: "lacks", value: ref },
    { path: ["x", entry], is: "=", value: first },
    { path: ["y", entry], is: "absent" },
  ];
  const changes: Change[] = [
    { add: "n", by: 1 },
    { append: "t", values: [ref] },
    { add: "k", by: 1 },
    commit ? { remove: ["x", entry] } : { copy: ["y", entry], from: "n", plus: 0 },
  ];
  if (state !== undefined && producerEpoch > state.epoch) {
    when.push({ path: ["q", entry], is: "=", value: packProducer(state.epoch, state.lastSequence) });
    changes.push({ set: ["q", entry], to: packProducer(producerEpoch, BEFORE_FIRST_SEQUENCE) });
  }
  const blob = { op: "putBlob", id: blobId, pieces: [bytes], partitions: [lane.name] } as const;
  const [blobs, heads] = await storage.table.inOrder([[blob], [{ op: "update", key: lane.headKey, changes, when }]]);
  const [written] = blobs ?? [];
  if (written?.ok === false) throw written.error;
  const [updated] = heads ?? [];
  if (updated === undefined) return undefined;
  if (!updated.ok) {
    if (isRefusal(updated.error)) return undefined;
    throw updated.error;
  }
  const after = lane.saw(updated.item as Item);
  sealWhenDue({ table: storage.table, clock, ids, policy: sealing }, lane, 1);
  return after;
}

/** The last stable offset once this producer's transaction is out of the head, as the head is right after its marker. */
function stableAfter(head: Head, producerId: number): number {
  const others = Object.entries(head.openTransactions).filter(([id]) => id !== String(producerId));
  return Math.min(head.next, ...others.map(([, first]) => first as number));
}

/** Puts the abort into the index, then takes the transaction out of the head. */
async function close(parts: EndParts, lane: Lane, head: Head, aborted: AbortedItem): Promise<boolean> {
  const { table } = parts.storage;
  const { producerId, firstOffset, markerOffset } = aborted;
  try {
    await table.write(putAborted(lane.topicId, lane.partition, aborted));
  } catch (error) {
    if (!isRefusal(error)) throw error;
  }
  const entry = String(producerId);
  const after = await update(parts, lane, {
    op: "update",
    key: lane.headKey,
    changes: [
      { remove: ["x", entry] },
      { remove: ["y", entry] },
      { add: "k", by: 1 },
      { set: "a", to: Math.max(head.lastAbortOffset, markerOffset) },
    ],
    when: [
      { item: "exists" },
      { path: ["x", entry], is: "=", value: firstOffset },
      { path: ["y", entry], is: "=", value: markerOffset },
      { path: "a", is: "=", value: head.lastAbortOffset },
    ],
  });
  return after !== undefined;
}

async function update({ storage }: EndParts, lane: Lane, op: Update): Promise<Head | undefined> {
  try {
    const item = await storage.table.write(op);
    return item && lane.saw(item);
  } catch (error) {
    if (isRefusal(error)) return undefined;
    throw error;
  }
}

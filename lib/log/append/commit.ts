/**
 * One commit: what several lanes have waiting goes into one blob (or one each, where that costs no more),
 * then each lane's head is updated, side by side. Two sequential trips to the storage.
 *
 * A crash before the blob is written leaves nothing; between blob and head, a blob that nothing refers to, which the
 * sweeper takes; after the head, records that are committed though their producer was not told.
 */
import { compareUlids } from "../../base/ulid.ts";
import type { Clock, Ids, Item, PutBlob, Storage, Update } from "../../ports/index.ts";
import { StorageError } from "../../ports/index.ts";
import { baseOffsetInTail } from "../items/head.ts";
import { isRefusal } from "../storage-errors.ts";
import type { LaneBatch } from "./batch.ts";
import { settleUnknown } from "./outcome.ts";

/**
 * A request that was refused is committed again for so long: the storage has been patient already, and whoever waits behind
 * API Gateway hears nothing after 29 s.
 */
export const AGAIN_WITHIN_MS = 10_000;

/** What became of one lane's part of a commit. */
export type LaneOutcome =
  | { readonly kind: "applied"; readonly baseOffset: number; readonly appendTimeMs: number }
  /** Certainly not applied; the lane knows the newest head: judge again and commit again. */
  | { readonly kind: "again"; readonly pauseMs: number }
  | { readonly kind: "gone" }
  | { readonly kind: "failed"; readonly error: unknown };

export interface PreparedCommit {
  readonly blobs: readonly PutBlob[];
  /** For each lane, the blob with its bytes. */
  readonly blobIds: readonly Uint8Array[];
  readonly updates: readonly Update[];
  readonly appendTimeMs: number;
}

/** Mints the blob above every floor that is known here, and packs refs and updates. */
export function prepareCommit(batches: readonly LaneBatch[], storage: Storage, clock: Clock, ids: Ids): PreparedCommit {
  let floor: Uint8Array | undefined;
  let sizeBytes = 0;
  const appendTimeMs = clock.nowMs();
  for (const batch of batches) {
    const known = batch.lane.head?.floor;
    if (known !== undefined && (floor === undefined || compareUlids(floor, known) < 0)) floor = known;
    sizeBytes += batch.sizeBytes;
    batch.stamp(appendTimeMs);
  }
  const updates: Update[] = [];
  const blobs: PutBlob[] = [];
  const blobIds: Uint8Array[] = [];
  const shared = batches.length > 1 && !storage.blobs.separate && storage.blobs.place(sizeBytes) !== 0;
  if (shared) {
    const blob = { blobId: ids.ulid(floor), place: storage.blobs.place(sizeBytes), shared };
    const pieces: Uint8Array[] = [];
    let at = 0;
    for (const batch of batches) {
      blobIds.push(blob.blobId);
      updates.push(batch.update(blob.blobId, batch.refs(blob, at, appendTimeMs)));
      pieces.push(...batch.pieces());
      at += batch.sizeBytes;
    }
    blobs.push({ op: "putBlob", id: blob.blobId, pieces, partitions: batches.map((batch) => batch.lane.name) });
  } else {
    // A blob of one partition alone can go with that partition's run.
    for (const batch of batches) {
      const blob = { blobId: ids.ulid(floor), place: storage.blobs.place(batch.sizeBytes), shared };
      blobIds.push(blob.blobId);
      updates.push(batch.update(blob.blobId, batch.refs(blob, 0, appendTimeMs)));
      blobs.push({ op: "putBlob", id: blob.blobId, pieces: batch.pieces(), partitions: [batch.lane.name] });
    }
  }
  return { blobs, blobIds, updates, appendTimeMs };
}

/** Commits; answers for each lane when it is known, in the order of the lanes. Never rejects. */
export async function commit(
  prepared: PreparedCommit,
  batches: readonly LaneBatch[],
  storage: Storage,
  clock: Clock,
): Promise<Promise<LaneOutcome>[]> {
  const [blobs, heads] = await storage.table.inOrder([prepared.blobs, prepared.updates]);
  const blobError = blobs?.find((one) => !one.ok);
  return batches.map(async (batch, i): Promise<LaneOutcome> => {
    const one = heads?.[i];
    const blobId = prepared.blobIds[i] as Uint8Array;
    if (one?.ok === true) {
      const head = batch.lane.saw(one.item as Item);
      return { kind: "applied", baseOffset: head.next - batch.recordCount, appendTimeMs: prepared.appendTimeMs };
    }
    const reached = one !== undefined && one.error.kind !== "not_reached";
    const error = reached ? one.error : blobError?.ok === false ? blobError.error : one?.error;
    return after(error, reached, batch, blobId, prepared.appendTimeMs, storage, clock);
  });
}

async function after(
  error: StorageError | undefined,
  reached: boolean,
  batch: LaneBatch,
  blobId: Uint8Array,
  appendTimeMs: number,
  storage: Storage,
  clock: Clock,
): Promise<LaneOutcome> {
  const { lane } = batch;
  if (error === undefined) return { kind: "failed", error: new StorageError("unknown", "the storage gave no answer") };
  if (reached && isRefusal(error)) {
    if (error.item === undefined) return { kind: "gone" };
    const head = lane.saw(error.item);
    const baseOffset = baseOffsetInTail(head, blobId);
    return baseOffset === undefined ? { kind: "again", pauseMs: 0 } : { kind: "applied", baseOffset, appendTimeMs };
  }
  if (reached && error.kind === "unknown") {
    try {
      const outcome = await settleUnknown(storage.table, clock, lane, blobId, lane.head?.next ?? 0);
      if (outcome.kind === "gone") return outcome;
      lane.saw(outcome.head);
      return outcome.kind === "applied"
        ? { kind: "applied", baseOffset: outcome.baseOffset, appendTimeMs }
        : { kind: "again", pauseMs: 0 };
    } catch (failure) {
      return { kind: "failed", error: failure };
    }
  }
  switch (error.kind) {
    // Without its head update a blob is nothing: not applied, whatever became of its bytes.
    case "unknown":
    case "contended":
      return { kind: "again", pauseMs: 10 };
    case "throttled":
      return { kind: "again", pauseMs: 100 };
    default:
      return { kind: "failed", error };
  }
}

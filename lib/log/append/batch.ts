/**
 * One commit of one lane: which of its waiting requests go into it, and the update of the head that commits them.
 *
 * C1  The update is applied at most once (the tail must lack its first ref, and the floor be below its blob).
 * C2  For every producer in it, the update holds only if the producer's state is the one that was judged: the very
 *     value in the head, or not in the head and no producer moved out of it since its item was read.
 * C3  For every transaction in it, the update holds only if it may begin or go on (`transactional.ts`).
 */
import { invariant } from "../../base/assert.ts";
import { BrokerlessError } from "../../base/errors.ts";
import { type BatchSummary, type PreparedBatches, stampLogAppendTime } from "../../kafka/index.ts";
import type { Change, Condition, Update } from "../../ports/index.ts";
import { packProducer } from "../items/producer.ts";
import { packRef, REF_MAX_RECORDS, type Ref } from "../items/ref.ts";
import type { Lane, Pending } from "./lane.ts";
import { judgeBatch, stateAfter, type Verdict } from "./plan.ts";
import { isTransactional, judgeTransaction, transactionUpdate } from "./transactional.ts";

/** A ref grows to about this size, so that a fetch need not read much more than it asked for. */
const REF_TARGET_BYTES = 2 ** 20;
/** One update names at most so many producers: DynamoDB takes 300 operators in one, of which a producer needs five at most. */
const COMMIT_PRODUCERS = 48;
/** A lane gives up to so many bytes to one commit; a single larger request goes alone. */
const LANE_COMMIT_BYTES = 4 * 2 ** 20;

export interface Placed {
  readonly pending: Pending;
  /** Its first record's place among the records of this commit. */
  readonly firstRecord: number;
}

interface Produced {
  readonly first: BatchSummary;
  last: BatchSummary;
  /** Place of the last batch's first record among the records of this commit. */
  lastFirstRecord: number;
  /** Of a transaction: its guard, and the place of its first record. */
  readonly transaction: { readonly guard: number; readonly firstRecord: number } | undefined;
}

const PARTLY_WRITTEN: Verdict = {
  kind: "refused",
  error: new BrokerlessError(
    "out_of_order_sequence",
    "some batches of the request are written already and others are not: send them one by one",
  ),
  final: true,
};

/** What a lane brings to one commit. */
export class LaneBatch {
  readonly lane: Lane;
  readonly placed: Placed[] = [];
  sizeBytes = 0;
  recordCount = 0;
  /** How many refs it was packed into. */
  refCount = 0;
  readonly #producers = new Map<number, Produced>();
  /** Producers with a transaction in this commit. */
  readonly #opening = new Set<number>();

  constructor(lane: Lane) {
    this.lane = lane;
  }

  /** Judges a request after those that are in already. `later`: it depends on one that is in. */
  judge(pending: Pending): Verdict | { readonly kind: "later" } {
    const within = new Map<number, BatchSummary>();
    let appends = 0;
    let duplicate: Verdict | undefined;
    for (const batch of pending.prepared.batches) {
      if (batch.producerId < 0) {
        appends++;
        continue;
      }
      const head = this.lane.head;
      invariant(head !== undefined, "a head was read before its producers were");
      const against = judgeTransaction(batch, head, pending.transactionGuard, this.#opening);
      const before = within.get(batch.producerId) ?? this.#producers.get(batch.producerId)?.last;
      const state = before === undefined ? this.lane.producer(batch.producerId).state : stateAfter(before);
      const verdict = judgeBatch(batch, state);
      if (verdict.kind !== "append" && this.#producers.has(batch.producerId)) return { kind: "later" };
      if (verdict.kind === "refused") return verdict;
      if (verdict.kind === "duplicate") duplicate ??= verdict;
      else if (against !== undefined) return against;
      else {
        appends++;
        within.set(batch.producerId, batch);
      }
    }
    if (duplicate === undefined) return { kind: "append" };
    return appends === 0 ? duplicate : PARTLY_WRITTEN;
  }

  add(pending: Pending): void {
    this.placed.push({ pending, firstRecord: this.recordCount });
    let record = this.recordCount;
    for (const batch of pending.prepared.batches) {
      if (batch.producerId >= 0) {
        const known = this.#producers.get(batch.producerId);
        if (known === undefined) {
          const guard = isTransactional(batch) ? pending.transactionGuard : undefined;
          const transaction = guard === undefined ? undefined : { guard, firstRecord: record };
          if (transaction !== undefined) this.#opening.add(batch.producerId);
          this.#producers.set(batch.producerId, { first: batch, last: batch, lastFirstRecord: record, transaction });
        } else {
          known.last = batch;
          known.lastFirstRecord = record;
        }
      }
      record += batch.recordCount;
    }
    this.recordCount = record;
    this.sizeBytes += pending.prepared.bytes.byteLength;
  }

  /** Room for one more? The first is always taken. */
  hasRoom({ bytes, batches }: PreparedBatches): boolean {
    if (this.placed.length === 0) return true;
    const fits = this.sizeBytes + bytes.byteLength <= LANE_COMMIT_BYTES;
    return fits && (this.#producers.size < COMMIT_PRODUCERS || batches.every(({ producerId }) => producerId < 0));
  }

  /** Gives the records of LogAppendTime topics their time, before the bytes are written. */
  stamp(nowMs: number): void {
    for (const { pending } of this.placed) {
      if (!pending.logAppendTime) continue;
      for (const batch of pending.prepared.batches) stampLogAppendTime(pending.prepared.bytes, batch.at, nowMs);
    }
  }

  /** The bytes, in order, as they go into the blob. */
  pieces(): Uint8Array[] {
    return this.placed.map(({ pending }) => pending.prepared.bytes);
  }

  /** The refs to these bytes, which begin at a position of the blob. */
  refs(
    { blobId, place, shared }: Pick<Ref, "blobId" | "place" | "shared">,
    positionBytes: number,
    appendTimeMs: number,
  ): Uint8Array[] {
    const refs: Uint8Array[] = [];
    let at = positionBytes;
    let size = 0;
    let records = 0;
    let maxTimestampMs = Number.NEGATIVE_INFINITY;
    const claimed = this.placed.some(({ pending }) => pending.claim !== undefined);
    const close = (): void => {
      refs.push(
        packRef({ blobId, place, claimed, shared, positionBytes: at, sizeBytes: size, recordCount: records, maxTimestampMs }),
      );
      at += size;
      size = 0;
      records = 0;
      maxTimestampMs = Number.NEGATIVE_INFINITY;
    };
    for (const { pending } of this.placed) {
      const { bytes, recordCount } = pending.prepared;
      if (records > 0 && (size + bytes.byteLength > REF_TARGET_BYTES || records + recordCount > REF_MAX_RECORDS)) close();
      size += bytes.byteLength;
      records += recordCount;
      maxTimestampMs = Math.max(maxTimestampMs, pending.logAppendTime ? appendTimeMs : pending.prepared.maxTimestampMs);
    }
    close();
    this.refCount = refs.length;
    return refs;
  }

  /** The one update that commits all of it. */
  update(blobId: Uint8Array, refs: readonly Uint8Array[]): Update {
    invariant(refs[0] !== undefined, "a commit has a ref");
    const when: Condition[] = [
      { item: "exists" },
      { path: "f", is: "<", value: blobId },
      { path: "t", is: "lacks", value: refs[0] },
    ];
    const changes: Change[] = [
      { add: "n", by: this.recordCount },
      { append: "t", values: refs },
    ];
    let outside = false;
    for (const [id, produced] of this.#producers) {
      const entry = String(id);
      const { state, inHead } = this.lane.producer(id);
      if (inHead && state !== undefined) {
        when.push({ path: ["q", entry], is: "=", value: packProducer(state.epoch, state.lastSequence) });
      } else {
        when.push({ path: ["q", entry], is: "absent" });
        outside = true;
      }
      changes.push({ set: ["q", entry], to: packProducer(produced.last.producerEpoch, produced.last.lastSequence) });
      changes.push({ copy: ["o", entry], from: "n", plus: produced.lastFirstRecord });
      if (produced.transaction !== undefined && this.lane.head !== undefined) {
        const { guard, firstRecord } = produced.transaction;
        const more = transactionUpdate(this.lane.head, id, firstRecord, guard);
        when.push(...more.when);
        changes.push(...more.changes);
      }
    }
    if (outside) {
      invariant(this.lane.head !== undefined, "a head was read before its producers were");
      when.push({ path: "e", is: "=", value: this.lane.head.evictions });
    }
    return { op: "update", key: this.lane.headKey, changes, when };
  }
}

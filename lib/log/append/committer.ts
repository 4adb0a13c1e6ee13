/**
 * The committer of a process: gathers the requests that wait and commits them together, at once when idle, and again
 * as soon as a commit ends. Requests to one partition are committed in the order in which they came.
 */
import { BrokerlessError } from "../../base/errors.ts";
import type { Metrics } from "../../ports/index.ts";
import { partitionName } from "../items/head.ts";
import { fromStorage } from "../storage-errors.ts";
import { unknownTopic } from "../topics.ts";
import type { AtomicParts } from "./atomic.ts";
import { LaneBatch, type Placed } from "./batch.ts";
import { AGAIN_WITHIN_MS, commit, type LaneOutcome, prepareCommit } from "./commit.ts";
import { findDuplicate } from "./duplicates.ts";
import { Lane, type Pending, producersOf } from "./lane.ts";
import { appendResult } from "./result.ts";
import { sealWhenDue } from "./seal.ts";

/** One commit takes about so many bytes, over all its lanes. */
const COMMIT_BYTES = 16 * 2 ** 20;
const COMMIT_LANES = 100;
/** A tail as long as this waits for its seal before it takes more: the head must stay small. */
const TAIL_MOST_REFS = 96;
const ATTEMPTS_MOST = 20;

export interface CommitterParts extends AtomicParts {
  readonly metrics: Metrics;
  /** Runs a function soon; what comes in the meantime is gathered. */
  readonly soon: (run: () => void) => void;
}

export class Committer {
  readonly #parts: CommitterParts;
  readonly #lanes = new Map<string, Lane>();
  /** Lanes that have something waiting, the one that waited longest first. */
  readonly #ready = new Set<Lane>();
  #underWay = 0;
  #woken = false;

  constructor(parts: CommitterParts) {
    this.#parts = parts;
  }

  lane(topicId: string, partition: number): Lane {
    const name = partitionName(topicId, partition);
    let lane = this.#lanes.get(name);
    if (lane === undefined) {
      lane = new Lane(topicId, partition);
      this.#lanes.set(name, lane);
    }
    return lane;
  }

  submit(lane: Lane, pending: Pending): void {
    lane.queue.push(pending);
    this.#wake(lane);
  }

  #wake(lane: Lane): void {
    if (lane.busy || lane.queue.length === 0) return;
    this.#ready.add(lane);
    if (this.#woken || this.#underWay >= this.#parts.storage.maxConcurrentCommits) return;
    this.#woken = true;
    this.#parts.soon(() => {
      this.#woken = false;
      this.#pump();
    });
  }

  #pump(): void {
    while (this.#underWay < this.#parts.storage.maxConcurrentCommits && this.#ready.size > 0) {
      const batches: LaneBatch[] = [];
      let sizeBytes = 0;
      for (const lane of this.#ready) {
        if (batches.length >= COMMIT_LANES || sizeBytes >= COMMIT_BYTES) break;
        const alone = lane.queue[0]?.claim !== undefined;
        if (alone && batches.length > 0) continue;
        this.#ready.delete(lane);
        const batch = this.#take(lane);
        if (batch === undefined) {
          // A keyed request has come to the front, and wants a commit of its own.
          if (!lane.busy && lane.queue.length > 0) this.#ready.add(lane);
          continue;
        }
        lane.busy = true;
        batches.push(batch);
        sizeBytes += batch.sizeBytes;
        if (alone) break;
      }
      if (batches.length > 0) void this.#commit(batches);
    }
  }

  /** Takes what can be committed now out of the queue; undefined when there is nothing, or something must come first. */
  #take(lane: Lane): LaneBatch | undefined {
    const batch = new LaneBatch(lane);
    const first = lane.queue[0];
    for (let pending = lane.queue[0]; pending !== undefined; pending = lane.queue[0]) {
      if (!batch.hasRoom(pending.prepared)) break;
      // Only what was at the front when the lane was chosen is known to go alone.
      if (pending.claim !== undefined && pending !== first) break;
      if (pending.prepared.batches.some(({ producerId }) => producerId >= 0 && !lane.knows(producerId))) {
        if (batch.placed.length === 0) this.#first(lane, this.#lookUp(lane, pending, false));
        break;
      }
      const verdict = batch.judge(pending);
      if (verdict.kind === "later") break;
      if (verdict.kind === "refused" && !verdict.final && !pending.judgedAfresh) {
        if (batch.placed.length === 0) this.#first(lane, this.#lookUp(lane, pending, true));
        break;
      }
      lane.queue.shift();
      if (verdict.kind === "refused") pending.reject(verdict.error);
      else if (verdict.kind === "duplicate") void this.#answerDuplicate(lane, pending, verdict.state.baseOffset);
      else {
        batch.add(pending);
        if (pending.claim !== undefined) break;
      }
    }
    if (batch.placed.length > 0) return batch;
    return undefined;
  }

  /** Keeps a lane from committing until something else is done. */
  #first(lane: Lane, done: Promise<void>): void {
    lane.busy = true;
    void done.finally(() => {
      lane.busy = false;
      this.#wake(lane);
    });
  }

  async #lookUp(lane: Lane, pending: Pending, afresh: boolean): Promise<void> {
    try {
      // All that wait are looked up at once.
      const ids = new Set(lane.queue.flatMap(({ prepared }) => producersOf(prepared)));
      await lane.lookUp(this.#parts.storage.table, ids, afresh);
      if (afresh) pending.judgedAfresh = true;
      if (lane.head === undefined) this.#fail(lane, unknownTopic(pending.topic.name));
    } catch (error) {
      this.#fail(lane, fromStorage(error, "look up the producer"));
    }
  }

  #fail(lane: Lane, error: unknown): void {
    for (const pending of lane.queue.splice(0)) pending.reject(error);
  }

  async #answerDuplicate(lane: Lane, pending: Pending, lastBase: number): Promise<void> {
    try {
      const baseOffset = await findDuplicate(
        this.#parts.storage.table,
        this.#parts.reader,
        pending.topic,
        lane,
        pending.prepared,
        lastBase,
      );
      this.#parts.metrics.count("append_duplicates_total");
      pending.resolve(appendResult(pending, lane, baseOffset, { duplicate: true, logAppendTimeMs: undefined }));
    } catch (error) {
      pending.reject(fromStorage(error, "look for the first of a repeated batch"));
    }
  }

  async #commit(batches: readonly LaneBatch[]): Promise<void> {
    const { storage, clock, ids, metrics } = this.#parts;
    this.#underWay++;
    const startedMs = clock.monotonicMs();
    for (const { placed } of batches) for (const { pending } of placed) pending.triedAtMs ??= startedMs;
    const claim = batches[0]?.placed[0]?.pending.claim;
    let outcomes: Promise<LaneOutcome>[];
    try {
      const prepared = prepareCommit(batches, storage, clock, ids);
      const lane = batches[0]?.lane;
      if (claim !== undefined && lane !== undefined) {
        const blobId = prepared.blobIds[0] as Uint8Array;
        await claim.hold([{ partition: lane.name, blobId, fromOffset: lane.head?.next ?? 0 }]);
      }
      outcomes = await commit(prepared, batches, storage, clock);
    } catch (error) {
      outcomes = batches.map(() => Promise.resolve({ kind: "failed", error }));
    }
    this.#underWay--;
    metrics.count("commits_total");
    for (const [i, batch] of batches.entries()) void this.#settle(batch, outcomes[i] as Promise<LaneOutcome>);
    this.#pump();
  }

  /** Answers the requests of one lane's part of a commit, or puts them back at the front of its queue. */
  async #settle(batch: LaneBatch, pendingOutcome: Promise<LaneOutcome>): Promise<void> {
    const { lane } = batch;
    const outcome = await pendingOutcome;
    if (outcome.kind === "applied") {
      this.#answer(batch, outcome.baseOffset, outcome.appendTimeMs);
      this.#parts.doorbell.ring(lane.name);
      const { storage, clock, ids, sealing: policy } = this.#parts;
      sealWhenDue({ table: storage.table, clock, ids, policy }, lane, batch.refCount);
    } else if (outcome.kind === "gone") {
      lane.forgetHead();
      if (lane.queue.length === 0) this.#lanes.delete(lane.name);
      for (const { pending } of batch.placed) pending.reject(unknownTopic(pending.topic.name));
    } else if (outcome.kind === "failed") {
      for (const { pending } of batch.placed) pending.reject(fromStorage(outcome.error, "append"));
    } else {
      this.#parts.metrics.count("commit_retries_total");
      if (outcome.pauseMs > 0) {
        const attempt = batch.placed[0]?.pending.attempts ?? 0;
        await this.#parts.clock.sleep(outcome.pauseMs * 2 ** Math.min(attempt, 5) * (0.5 + this.#parts.ids.random()));
      }
      lane.queue.unshift(...batch.placed.filter((placed) => this.#mayRetry(placed)).map((placed) => placed.pending));
    }
    if (lane.sealing !== undefined && (lane.head?.tail.length ?? 0) >= TAIL_MOST_REFS) await lane.sealing;
    lane.busy = false;
    this.#wake(lane);
  }

  #mayRetry({ pending }: Placed): boolean {
    pending.attempts++;
    const triedMs = this.#parts.clock.monotonicMs() - (pending.triedAtMs ?? 0);
    if (pending.attempts < ATTEMPTS_MOST && triedMs < AGAIN_WITHIN_MS) return true;
    pending.reject(
      new BrokerlessError("throttled", `partition is too busy: ${pending.attempts} commits of the request were refused`, {
        retryAfterMs: 1000,
      }),
    );
    return false;
  }

  #answer(batch: LaneBatch, baseOffset: number, appendTimeMs: number): void {
    const { lane } = batch;
    for (const { pending, firstRecord } of batch.placed) {
      const logAppendTimeMs = pending.logAppendTime ? appendTimeMs : undefined;
      pending.resolve(appendResult(pending, lane, baseOffset + firstRecord, { duplicate: false, logAppendTimeMs }));
    }
    this.#parts.metrics.count("append_requests_total", batch.placed.length);
    this.#parts.metrics.count("append_records_total", batch.recordCount);
    this.#parts.metrics.count("append_bytes_total", batch.sizeBytes);
  }

  /** Resolves when nothing is waiting, under way or being sealed. */
  async idle(): Promise<void> {
    for (;;) {
      const seals = [...this.#lanes.values()].flatMap((lane) => lane.sealing ?? []);
      if (seals.length > 0) await Promise.all(seals);
      else if ([...this.#lanes.values()].some((lane) => lane.busy || lane.queue.length > 0)) await this.#parts.clock.sleep(1);
      else return;
    }
  }
}

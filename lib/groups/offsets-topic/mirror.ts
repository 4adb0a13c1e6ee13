/**
 * `__consumer_offsets`: an ordinary internal topic, to which every commit is appended too, for tools that tail it. Nothing
 * here reads it to decide about a group: what a group has committed is what its items say.
 *
 * J1  A record is appended only after its commit was applied, and a commit that was refused has none.
 * J2  A commit neither waits for its record nor fails with it. What waits is at most 8 MiB; what is above is dropped and its
 *     group made due for {@link reconcile}.
 * J3  The commits of one process to one partition of a group are appended in the order of their guards, which is the order in
 *     which they were applied: one append is under way at a time, of all that was gathered within 100 ms, or since the one before it began. Those of
 *     two processes may change places (a partition that was just given to another member); the next commit, or reconcile,
 *     puts that right.
 * J4  After reconcile the last record of every key says what the items say: it appends first what waits in its own process, then
 *     what differs, then reads the items again, until they are what it appended. Whoever commits later appends later.
 *
 * A crash after the commit and before the append loses the record: the next commit of the partition is newer, and reconcile,
 * which looks at everything when a server has started and every hour, finds it. What is deleted or expires has its
 * tombstones from reconcile too, within a minute. A crash in the middle of either leaves records that are true or are
 * repeated. An append whose outcome is not known is made again: a record that is there twice says the same.
 */
import { BrokerlessError } from "../../base/errors.ts";
import { encodeBatch } from "../../kafka/index.ts";
import { OFFSETS_TOPIC } from "../../log/internal-topics.ts";
import type { JobReport, JobRun } from "../../log/jobs/index.ts";
import { mayGoOn } from "../../log/jobs/job.ts";
import type { LogApi } from "../../log/types.ts";
import { type Clock, type Metrics, NO_METRICS, type Storage } from "../../ports/index.ts";
import { GROUPS } from "../items/group.ts";
import type { OffsetEntry } from "../items/offsets.ts";
import type { GroupState } from "../items/state.ts";
import type { TopicPartition } from "../types.ts";
import { reconcilePartition } from "./reconcile.ts";
import { commitRecord, groupRecord, type MirrorRecord } from "./records.ts";
import { OFFSETS_PARTITIONS, offsetsTopic, partitionOfGroup } from "./topic.ts";

const WAITING_MOST_BYTES = 8 * 1024 * 1024;
/** Half of what a batch may have: its header, and the offsets that records are counted by. */
const BATCH_BYTES = 512 * 1024;
/** About what a record has around key and value. */
const RECORD_OVERHEAD_BYTES = 16;
/** So long commits are gathered: one append of many costs hardly more than one of one. */
const GATHER_MS = 100;
const TRIES = 6;
const FIRST_PAUSE_MS = 100;
const RECONCILE_EVERY_MS = 3_600_000;

/** A commit as it was applied. */
export interface AppliedCommit extends TopicPartition {
  readonly entry: OffsetEntry;
  /** The order in which commits of one partition were applied. */
  readonly guard: number;
}

export interface MirrorParts {
  readonly storage: Storage;
  readonly log: LogApi;
  readonly clock: Clock;
  readonly metrics?: Metrics;
  /** One line on what went wrong. */
  readonly say?: (line: string) => void;
  /** Of the topic, where it is made here (`offsets.topic.num.partitions`). Default 50. */
  readonly partitions?: number;
}

interface Waiting extends MirrorRecord {
  readonly group: string;
  readonly order: number;
}

export class OffsetsMirror {
  readonly #parts: Required<Omit<MirrorParts, "say">> & Pick<MirrorParts, "say">;
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #flushing: Promise<void> | undefined;
  /** The append that is under way, or was the last. */
  #appending: Promise<void> = Promise.resolve();
  readonly #closing = new AbortController();
  /** Groups of which the topic may say something that is no longer so. */
  readonly #due = new Set<string>();
  /** When each partition was last reconciled, on the steady clock. */
  readonly #reconciledMs = new Map<number, number>();

  constructor(parts: MirrorParts) {
    this.#parts = { metrics: NO_METRICS, partitions: OFFSETS_PARTITIONS, ...parts };
  }

  /** These commits of the group were applied. */
  committed(group: string, commits: readonly AppliedCommit[]): void {
    for (const { entry, guard, ...place } of commits) this.#wait({ ...commitRecord(group, place, entry), group, order: guard });
    this.#flush();
  }

  /** The group's state was changed. */
  changed(group: string, before: GroupState | undefined, after: GroupState): void {
    const record = groupRecord(group, after);
    if (record === undefined || same(record, before && groupRecord(group, before))) return;
    this.#wait({ ...record, group, order: this.#parts.clock.nowMs() });
    this.#flush();
  }

  /** Something of the group was deleted, or it is not known what was written: the topic is to be looked at. */
  stale(group: string): void {
    this.#due.add(group);
  }

  /** Appends what waits, in one try, and takes nothing more. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#flushing;
  }

  /** Makes the topic say what the items say, in every partition that is due; by hand in all. A job. */
  async reconcile(run: JobRun): Promise<JobReport> {
    const { clock, log } = this.#parts;
    const total = { partitions: 0, records: 0, left: false };
    const topics = await log.listTopics();
    const groups = await this.#groups();
    const known = topics.find(({ name }) => name === OFFSETS_TOPIC);
    if (known === undefined && (groups.length === 0 || run.dryRun)) return total;
    const { partitions } = known ?? (await offsetsTopic(log, this.#parts.partitions));
    const names = new Map(topics.map(({ id, name }) => [id, name]));
    const due = new Set([...this.#due].map((group) => partitionOfGroup(group, partitions)));
    for (let partition = 0; partition < partitions; partition++) {
      const last = this.#reconciledMs.get(partition);
      const isDue = run.byHand || due.has(partition) || last === undefined || clock.monotonicMs() - last >= RECONCILE_EVERY_MS;
      if (!isDue) continue;
      if (!mayGoOn(run, clock)) return { ...total, left: true };
      const marked = [...this.#due].filter((group) => partitionOfGroup(group, partitions) === partition);
      const startedMs = clock.monotonicMs();
      // Nothing that this process applied before comes after what is appended now.
      await this.#appendWaiting();
      const here = groups.filter((group) => partitionOfGroup(group, partitions) === partition);
      const records = await reconcilePartition(this.#parts, partition, here, names, run, (changes) =>
        this.#append(partition, changes),
      );
      if (!run.dryRun) {
        for (const group of marked) this.#due.delete(group);
        this.#reconciledMs.set(partition, startedMs);
      }
      total.partitions++;
      total.records += records;
    }
    return total;
  }

  async #groups(): Promise<string[]> {
    return (await this.#parts.storage.table.range(GROUPS)).map(({ key }) => key.sk);
  }

  #wait(record: Waiting): void {
    const sizeBytes = sizeOf(record);
    if (this.#closing.signal.aborted || this.#waitingBytes + sizeBytes > WAITING_MOST_BYTES) {
      this.#parts.metrics.count("offsets_topic_dropped_total", 1);
      this.#due.add(record.group);
      return;
    }
    this.#waiting.push(record);
    this.#waitingBytes += sizeBytes;
  }

  #flush(): void {
    if (this.#flushing !== undefined || this.#waiting.length === 0) return;
    this.#flushing = this.#flushAll().finally(() => {
      this.#flushing = undefined;
    });
  }

  /** Never rejects. */
  async #flushAll(): Promise<void> {
    while (this.#waiting.length > 0) {
      await this.#pause(GATHER_MS);
      await this.#appendWaiting();
    }
  }

  /** Appends what waits now, after the append that is under way. Never rejects. */
  #appendWaiting(): Promise<void> {
    this.#appending = this.#appending.then(async () => {
      const records = this.#waiting.sort((a, b) => a.order - b.order);
      if (records.length === 0) return;
      this.#waiting = [];
      this.#waitingBytes = 0;
      try {
        await this.#appendAll(records);
      } catch (error) {
        for (const { group } of records) this.#due.add(group);
        this.#parts.metrics.count("offsets_topic_dropped_total", records.length);
        const why = error instanceof Error ? error.message : String(error);
        this.#parts.say?.(`${OFFSETS_TOPIC}: ${records.length} records were not appended, and will be by reconcile: ${why}`);
      }
    });
    return this.#appending;
  }

  async #appendAll(records: readonly Waiting[]): Promise<void> {
    const { log, partitions } = this.#parts;
    for (let attempt = 1; ; attempt++) {
      try {
        const topic = await offsetsTopic(log, partitions);
        const byPartition = Map.groupBy(records, ({ group }) => partitionOfGroup(group, topic.partitions));
        await Promise.all([...byPartition].map(([partition, some]) => this.#append(partition, some)));
        return;
      } catch (error) {
        if (this.#closing.signal.aborted || attempt === TRIES || !mayPass(error)) throw error;
        await this.#pause(FIRST_PAUSE_MS * 2 ** (attempt - 1));
      }
    }
  }

  /** Ends at once when the mirror is closed. */
  async #pause(ms: number): Promise<void> {
    await this.#parts.clock.sleep(ms, this.#closing.signal).catch(() => {});
  }

  async #append(partition: number, records: readonly MirrorRecord[]): Promise<void> {
    const { log, clock, metrics } = this.#parts;
    for (const some of inBatches(records)) {
      const batches = encodeBatch(some, { timestampMs: clock.nowMs() });
      await log.append({ topic: OFFSETS_TOPIC, partition, batches }, { internal: true });
    }
    metrics.count("offsets_topic_records_total", records.length);
  }
}

/** Is there hope that it goes better the next time? */
function mayPass(error: unknown): boolean {
  if (!(error instanceof BrokerlessError)) return false;
  return (
    error.outcome === "unknown" ||
    ["unknown_topic", "unknown_partition", "unavailable", "throttled", "storage_full"].includes(error.code)
  );
}

function same(a: MirrorRecord, b: MirrorRecord | undefined): boolean {
  return b !== undefined && Buffer.compare(a.value ?? NOTHING, b.value ?? NOTHING) === 0;
}

const NOTHING = new Uint8Array(0);

function sizeOf({ key, value }: MirrorRecord): number {
  return key.byteLength + (value?.byteLength ?? 0) + RECORD_OVERHEAD_BYTES;
}

function* inBatches(records: readonly MirrorRecord[]): Generator<readonly MirrorRecord[]> {
  let some: MirrorRecord[] = [];
  let sizeBytes = 0;
  for (const record of records) {
    if (some.length > 0 && sizeBytes + sizeOf(record) > BATCH_BYTES) {
      yield some;
      [some, sizeBytes] = [[], 0];
    }
    some.push(record);
    sizeBytes += sizeOf(record);
  }
  if (some.length > 0) yield some;
}

/** The log: topics, appends and reads behind one object, over any storage. See `types.ts` for what it promises. */
import { BrokerlessError } from "../base/errors.ts";
import { type Codecs, type PreparedBatches, prepareBatches } from "../kafka/index.ts";
import { type Clock, type Doorbell, type Ids, type Metrics, NO_METRICS, type Storage, StorageError } from "../ports/index.ts";
import { type AtomicPart, type AtomicParts, appendAll } from "./append/atomic.ts";
import type { Claim } from "./append/claim.ts";
import { Committer } from "./append/committer.ts";
import { KeyedRequests } from "./append/keyed.ts";
import { SEAL_POLICY, type SealPolicy } from "./append/seal.ts";
import { configNumber, configOf, describeConfigs, isCompacted } from "./config.ts";
import { isInternal } from "./internal-topics.ts";
import { type Head, lastStableOffset, openTransactionOf } from "./items/head.ts";
import { CLUSTER_KEY, encodeCluster, TAKE_PRODUCER_ID } from "./items/meta.ts";
import { type ProducerState, producerInHead } from "./items/producer.ts";
import { REF_MAX_BYTES, REF_MAX_RECORDS } from "./items/ref.ts";
import { markRetention } from "./items/retention.ts";
import { moveLogStart } from "./log-start.ts";
import { endTransaction } from "./markers/end.ts";
import { readGuards } from "./markers/guards.ts";
import { offsetByTime } from "./read/by-time.ts";
import { manifest } from "./read/manifest.ts";
import { readMany } from "./read/many.ts";
import { Reader, readableEnd } from "./read/reader.ts";
import { partitionBytes } from "./read/size.ts";
import { fromStorage, isRefusal, storageStep } from "./storage-errors.ts";
import { Topics, unknownPartition, unknownTopic } from "./topics.ts";
import type {
  ActiveProducer,
  AppendOptions,
  AppendRequest,
  AppendResult,
  AtomicAppendOptions,
  ConfigEntry,
  Isolation,
  LogApi,
  Manifest,
  OffsetAnswer,
  OffsetSpec,
  PartitionInfo,
  ReadManyRequest,
  ReadRequest,
  ReadResult,
  Topic,
  TopicSpec,
  TransactionEnd,
  VerifyEvent,
} from "./types.ts";

export interface LogParts {
  readonly storage: Storage;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly doorbell: Doorbell;
  /** For checking and searching compressed batches. */
  readonly codecs: Codecs;
  readonly metrics?: Metrics;
  /** Runs a function soon; appends that come in the meantime are gathered into one commit. Default: a microtask. */
  readonly soon?: (run: () => void) => void;
  /** One for all processes of a deployment; others than the default are for simulations. */
  readonly sealing?: SealPolicy;
}

const DEFAULT_MAX_BYTES = 2 ** 20;
/** A transaction takes at most 100 items; some are left for what may be committed with the records. */
const ATOMIC_PARTITIONS_MOST = 90;

/** What an append needs to know of a topic's configs, worked out once. */
interface AppendPolicy {
  readonly maxBatchBytes: number;
  readonly compacted: boolean;
  readonly logAppendTime: boolean;
}

export function createLog(parts: LogParts): LogApi {
  return new Log(parts);
}

class Log implements LogApi {
  readonly #parts: LogParts;
  readonly #topics: Topics;
  readonly #reader: Reader;
  readonly #committer: Committer;
  readonly #keyed: KeyedRequests;
  readonly #atomic: AtomicParts;
  readonly #policies = new WeakMap<Topic, AppendPolicy>();
  /** The heads that were told of, while somebody remembers what he was told. */
  readonly #told = new WeakMap<PartitionInfo, { readonly topicId: string; readonly head: Head }>();
  #clusterId: Promise<string> | undefined;
  #closed = false;

  constructor(parts: LogParts) {
    this.#parts = parts;
    this.#topics = new Topics(parts.storage, parts.clock, parts.ids);
    this.#reader = new Reader(parts);
    this.#atomic = { sealing: SEAL_POLICY, ...parts, reader: this.#reader };
    this.#committer = new Committer({ metrics: NO_METRICS, soon: queueMicrotask, ...parts, ...this.#atomic });
    this.#keyed = new KeyedRequests(this.#atomic, (topicId, partition) => this.#committer.lane(topicId, partition));
  }

  clusterId(): Promise<string> {
    this.#clusterId ??= this.#readClusterId().catch((error) => {
      this.#clusterId = undefined;
      throw error;
    });
    return this.#clusterId;
  }

  async #readClusterId(): Promise<string> {
    const { table } = this.#parts.storage;
    return storageStep("read the cluster id", async () => {
      const found = await table.get(CLUSTER_KEY);
      if (found !== undefined) return found["i"] as string;
      const fresh = this.#parts.ids.topicId();
      try {
        await table.write({ op: "put", key: CLUSTER_KEY, item: encodeCluster(fresh), when: [{ item: "absent" }] });
        return fresh;
      } catch (error) {
        if (isRefusal(error) && error.item !== undefined) return error.item["i"] as string;
        throw error;
      }
    });
  }

  createTopic(spec: TopicSpec, options?: { readonly validateOnly?: boolean }): Promise<Topic> {
    return this.#topics.create(spec, options?.validateOnly ?? false);
  }

  listTopics(): Promise<Topic[]> {
    return this.#topics.list();
  }

  async topic(name: string, options?: { readonly anew?: boolean }): Promise<Topic> {
    return options?.anew === true ? this.#topics.refresh(name) : this.#topics.get(name);
  }

  topicConfigs(topic: Topic): ConfigEntry[] {
    return describeConfigs(topic.configs);
  }

  alterConfigs(
    name: string,
    changes: Readonly<Record<string, string | null>>,
    options?: { readonly validateOnly?: boolean },
  ): Promise<Topic> {
    return this.#topics.alterConfigs(name, changes, options?.validateOnly ?? false);
  }

  growPartitions(name: string, total: number, options?: { readonly validateOnly?: boolean }): Promise<Topic> {
    return this.#topics.grow(name, total, options?.validateOnly ?? false);
  }

  deleteTopic(name: string, options?: { readonly topicId?: string }): Promise<void> {
    return this.#topics.delete(name, options?.topicId);
  }

  async partitions(
    name: string,
    which?: readonly number[],
    { topicId }: { readonly topicId?: string } = {},
  ): Promise<PartitionInfo[]> {
    return this.#withTopic(name, async (topic) => {
      if (topicId !== undefined && topic.id !== topicId) throw unknownTopic(name);
      const asked = which ?? Array.from({ length: topic.partitions }, (_, p) => p);
      for (const p of asked) if (!(p < topic.partitions)) throw unknownPartition(topic, p);
      const heads = await this.#reader.heads(asked.map((partition) => ({ topicId: topic.id, partition })));
      return asked.map((partition, i) => {
        const head = heads[i];
        if (head === undefined) throw unknownTopic(name);
        const info = { partition, logStartOffset: head.start, logEndOffset: head.next, lastStableOffset: lastStableOffset(head) };
        this.#told.set(info, { topicId: topic.id, head });
        return info;
      });
    });
  }

  async append(request: AppendRequest, options?: AppendOptions): Promise<AppendResult> {
    const begun = this.#withPartition(request, (topic) => {
      if (options?.internal !== true) refuseInternal(topic);
      const part = this.#part(topic, request);
      const key = options?.idempotencyKey;
      if (key === undefined) return this.#submit(part, undefined, request.transactionGuard);
      return this.#keyed
        .run([part], { ...options, idempotencyKey: key }, async (claim) => [await this.#submit(part, claim)])
        .then(single);
    });
    return options?.signal === undefined ? begun : abortable(begun, options.signal);
  }

  async appendAtomically(requests: readonly AppendRequest[], options?: AtomicAppendOptions): Promise<AppendResult[]> {
    const names = new Set(requests.map(({ topic, partition }) => `${topic}/${partition}`));
    if (requests.length === 0 || requests.length > ATOMIC_PARTITIONS_MOST || names.size !== requests.length) {
      throw new BrokerlessError(
        "invalid_request",
        `an atomic append names 1 to ${ATOMIC_PARTITIONS_MOST} partitions, each once; ${requests.length} given, ${names.size} of them different`,
        { field: "partitions" },
      );
    }
    const [first] = requests as [AppendRequest];
    const begun = this.#withTopic(first.topic, async () => {
      const parts = await Promise.all(
        requests.map((request) =>
          this.#withPartition(request, async (topic) => {
            refuseInternal(topic);
            return this.#part(topic, request);
          }),
        ),
      );
      const key = options?.idempotencyKey;
      const companion = options?.with;
      if (key === undefined) return appendAll(parts, companion, undefined, this.#atomic);
      return this.#keyed.run(parts, { ...options, idempotencyKey: key }, (claim) =>
        appendAll(parts, companion, claim, this.#atomic),
      );
    });
    if (options?.with?.applied !== undefined) begun.then(() => options.with?.applied?.(), onlyTold);
    return options?.signal === undefined ? begun : abortable(begun, options.signal);
  }

  async transactionGuards(
    partitions: readonly Pick<AppendRequest, "topic" | "topicId" | "partition">[],
  ): Promise<(number | BrokerlessError)[]> {
    const places = await Promise.all(
      partitions.map((one) =>
        this.#withPartition(one, async (topic) => ({ topic, partition: one.partition })).catch((error) => {
          if (error instanceof BrokerlessError) return error;
          throw error;
        }),
      ),
    );
    const guards = await readGuards(this.#parts.storage, places);
    for (const [i, guard] of guards.entries()) {
      // The next call looks anew: the name may be another topic's by now.
      if (guard instanceof BrokerlessError && guard.code === "unknown_topic") this.#topics.forget(partitions[i]?.topic as string);
    }
    return guards;
  }

  async endTransaction(end: TransactionEnd, stillDue: () => Promise<boolean>): Promise<void> {
    const lanes = end.partitions.map(({ topicId, partition }) => this.#committer.lane(topicId, partition));
    await endTransaction(this.#atomic, lanes, end, stillDue);
  }

  async read(request: ReadRequest): Promise<ReadResult> {
    const { partition, offset, maxBytes = DEFAULT_MAX_BYTES, maxWaitMs = 0, isolation, known, signal } = request;
    if (!Number.isSafeInteger(offset) || offset < 0) {
      throw new BrokerlessError("invalid_request", `offset is ${offset}; it takes a whole number from 0`, { field: "offset" });
    }
    return this.#withPartition(request, (topic) => {
      const told = known?.partition === partition ? this.#told.get(known) : undefined;
      const holds = told?.topicId === topic.id && offset >= told.head.start && offset <= told.head.next;
      if (holds && maxWaitMs <= 0) return this.#reader.read(topic, partition, offset, { maxBytes, isolation }, told.head);
      return this.#reader.readOrWait(topic, partition, offset, { maxBytes, isolation }, maxWaitMs, signal);
    });
  }

  async manifest(name: string, partition: number, offset: number, limit: number): Promise<Manifest> {
    return this.#withPartition({ topic: name, partition }, async (topic) =>
      manifest(this.#parts, topic, partition, await this.#reader.headAt(topic, partition, offset), offset, limit),
    );
  }

  readMany(request: ReadManyRequest): Promise<(ReadResult | BrokerlessError)[]> {
    const parts = { ...this.#parts, reader: this.#reader, topics: this.#topics };
    return readMany(parts, request, (one) => this.read({ ...one, isolation: request.isolation }));
  }

  async listOffset(name: string, partition: number, spec: OffsetSpec, isolation?: Isolation): Promise<OffsetAnswer> {
    return this.#withPartition({ topic: name, partition }, async (topic) => {
      const byTime = (timestampMs: number | undefined) =>
        offsetByTime(this.#reader, this.#parts.codecs, topic, partition, timestampMs, isolation);
      if ("timestampMs" in spec) return byTime(spec.timestampMs);
      if (spec.at === "max_timestamp") return byTime(undefined);
      const head = await this.#reader.head(topic.id, partition);
      if (head === undefined) throw unknownTopic(name);
      return { offset: spec.at === "earliest" ? head.start : readableEnd(head, isolation), timestampMs: -1 };
    });
  }

  async deleteRecords(name: string, partition: number, beforeOffset: number): Promise<number> {
    if (!Number.isSafeInteger(beforeOffset) || beforeOffset < -1) {
      throw new BrokerlessError("invalid_request", `offset is ${beforeOffset}; it takes -1 (the end) or a whole number from 0`, {
        field: "offset",
      });
    }
    return this.#withPartition({ topic: name, partition }, async (topic) => {
      for (;;) {
        const head = await this.#reader.head(topic.id, partition);
        if (head === undefined) throw unknownTopic(name);
        const start = beforeOffset < 0 ? head.next : beforeOffset;
        if (start > head.next) {
          throw new BrokerlessError(
            "offset_out_of_range",
            `records before ${start} are to be deleted; the log ends at ${head.next}`,
            {
              field: "offset",
              details: { logStartOffset: head.start, logEndOffset: head.next },
            },
          );
        }
        if (start <= head.start) return head.start;
        const moved = await storageStep("delete records", () =>
          moveLogStart(this.#parts.storage.table, topic.id, partition, head.start, start),
        );
        if (moved === undefined) continue;
        // Should this be lost, retention looks at the topic some hours later.
        await this.#parts.storage.table.write(markRetention(topic.id)).catch(onlyStorage);
        return moved.start;
      }
    });
  }

  async *verify(name: string, which?: readonly number[]): AsyncGenerator<VerifyEvent> {
    const topic = await this.#topics.refresh(name);
    // Hardly ever asked for, and the functions start faster without it.
    const { verifyPartition } = await import("./verify/partition.ts");
    const wrong = which?.find((partition) => !Number.isInteger(partition) || partition < 0 || partition >= topic.partitions);
    if (wrong !== undefined) throw unknownPartition(topic, wrong);
    for (const partition of which ?? Array.from({ length: topic.partitions }, (_, p) => p)) {
      yield* verifyPartition(this.#parts, topic, partition);
    }
  }

  partitionBytes(name: string, partition: number): Promise<number> {
    return this.#withPartition({ topic: name, partition }, (topic) => partitionBytes(this.#reader, topic, partition));
  }

  activeProducers(name: string, partition: number): Promise<ActiveProducer[]> {
    return this.#withPartition({ topic: name, partition }, async (topic) => {
      const head = await this.#reader.head(topic.id, partition);
      if (head === undefined) throw unknownTopic(name);
      return Object.keys(head.producers).map((id) => {
        const { epoch, lastSequence } = producerInHead(head, Number(id)) as ProducerState;
        return {
          producerId: Number(id),
          producerEpoch: epoch,
          lastSequence,
          transactionStartOffset: openTransactionOf(head, Number(id)),
        };
      });
    });
  }

  async allocateProducerId(): Promise<{ readonly producerId: number; readonly producerEpoch: number }> {
    const item = await storageStep("allocate a producer id", () => this.#parts.storage.table.write(TAKE_PRODUCER_ID));
    return { producerId: ((item?.["n"] as number) ?? 0) - 1, producerEpoch: 0 };
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#committer.idle();
  }

  /** Checks the batches of a request; nothing is written before. */
  #part(topic: Topic, request: AppendRequest): AtomicPart {
    if (this.#closed) throw new BrokerlessError("shutting_down", "the server is stopping", { retryAfterMs: 1000 });
    const policy = this.#policy(topic);
    const { batches } = request;
    const { maxBatchBytes, compacted, logAppendTime } = policy;
    const raw = batches instanceof Uint8Array ? batches : compacted ? batches.bytes : undefined;
    const prepared =
      raw === undefined
        ? checkSizes(batches as PreparedBatches, maxBatchBytes)
        : prepareBatches(raw, {
            maxBatchBytes,
            codecs: this.#parts.codecs,
            requireKeys: compacted,
            allowTransactional: request.transactionGuard !== undefined,
            nowMs: this.#parts.clock.nowMs(),
          });
    if (prepared.recordCount > REF_MAX_RECORDS || prepared.bytes.byteLength > REF_MAX_BYTES) {
      throw new BrokerlessError(
        "request_too_large",
        `a request has ${prepared.recordCount} records and ${prepared.bytes.byteLength} bytes for one partition; at most ${REF_MAX_RECORDS} and ${REF_MAX_BYTES} are taken`,
      );
    }
    return { topic, lane: this.#committer.lane(topic.id, request.partition), prepared, logAppendTime };
  }

  #submit(
    { topic, lane, prepared, logAppendTime }: AtomicPart,
    claim: Claim | undefined,
    transactionGuard?: number,
  ): Promise<AppendResult> {
    return new Promise((resolve, reject) => {
      const asked = { topic, prepared, logAppendTime, claim, transactionGuard };
      this.#committer.submit(lane, { ...asked, resolve, reject, attempts: 0, judgedAfresh: false });
    });
  }

  #policy(topic: Topic): AppendPolicy {
    let policy = this.#policies.get(topic);
    if (policy === undefined) {
      policy = {
        maxBatchBytes: configNumber(topic.configs, "max.message.bytes"),
        compacted: isCompacted(topic.configs),
        logAppendTime: configOf(topic.configs, "message.timestamp.type") === "LogAppendTime",
      };
      this.#policies.set(topic, policy);
    }
    return policy;
  }

  /** Runs with the topic as it is cached; once more with the topic as it is, when it turns out to be another one by now. */
  async #withTopic<T>(name: string, run: (topic: Topic) => Promise<T>): Promise<T> {
    const cached = this.#topics.get(name);
    const topic = cached instanceof Promise ? await cached : cached;
    try {
      try {
        return await run(topic);
      } catch (error) {
        if (!(error instanceof BrokerlessError) || !(error.code === "unknown_topic" || error.code === "unknown_partition"))
          throw error;
        this.#topics.forget(name);
        const now = await this.#topics.refresh(name);
        if (now.id === topic.id && now.partitions === topic.partitions) throw error;
        return await run(now);
      }
    } catch (error) {
      throw fromStorage(error, `topic "${name}"`);
    }
  }

  #withPartition<T>(
    { topic: name, topicId, partition }: Pick<ReadRequest, "topic" | "topicId" | "partition">,
    run: (topic: Topic) => Promise<T>,
  ): Promise<T> {
    return this.#withTopic(name, async (topic) => {
      if (topicId !== undefined && topic.id !== topicId) throw unknownTopic(name);
      if (!Number.isInteger(partition) || partition < 0 || partition >= topic.partitions)
        throw unknownPartition(topic, partition);
      return run(topic);
    });
  }
}

/** Kafka's rule: what the system keeps in topics of its own is not for clients to write. */
function refuseInternal({ name }: Topic): void {
  if (isInternal(name))
    throw new BrokerlessError("invalid_topic", `cannot append to the internal topic "${name}"`, { field: "topic" });
}

/** Whoever asked is told. */
function onlyTold(): void {}

/** For what need not succeed. */
function onlyStorage(error: unknown): undefined {
  if (!(error instanceof StorageError)) throw error;
}

function single(results: readonly AppendResult[]): AppendResult {
  return results[0] as AppendResult;
}

function checkSizes(prepared: PreparedBatches, maxBatchBytes: number): PreparedBatches {
  for (const [i, batch] of prepared.batches.entries()) {
    if (batch.sizeBytes > maxBatchBytes) {
      throw new BrokerlessError(
        "record_too_large",
        `record batch ${i + 1} of ${prepared.batches.length} is ${batch.sizeBytes} bytes; the topic takes at most ${maxBatchBytes} (max.message.bytes)`,
      );
    }
  }
  return prepared;
}

/** Gives up waiting when the signal aborts; what was begun goes on. */
function abortable<T>(begun: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const stop = (): void =>
      reject(new BrokerlessError("timeout", "stopped waiting for an append that is under way", { outcome: "unknown" }));
    if (signal.aborted) return stop();
    signal.addEventListener("abort", stop, { once: true });
    begun.then(resolve, reject).finally(() => signal.removeEventListener("abort", stop));
  });
}

/** One simulation: a storage, some processes over it, clients that use them, and the check of what they were told. */
import { createHash } from "node:crypto";
import { BrokerlessError } from "../../lib/base/errors.ts";
import { batchHeaders, decodeBatch, type KafkaRecord } from "../../lib/kafka/index.ts";
import { createLog, type LogApi } from "../../lib/log/index.ts";
import { compact } from "../../lib/log/jobs/compact/index.ts";
import { type JobRun, type JobsParts, merge, retain, roll, sweep } from "../../lib/log/jobs/index.ts";
import { sealTails } from "../../lib/log/jobs/seal-tails.ts";
import { sweepBlobs } from "../../lib/log/jobs/sweep/blobs.ts";
import { sweepObjects } from "../../lib/log/jobs/sweep/objects.ts";
import { readTopics } from "../../lib/log/jobs/sweep/topics.ts";
import { type Storage, StorageError } from "../../lib/ports/index.ts";
import { memoryStorage } from "../../lib/storage/memory/index.ts";
import { type Bounds, EVERYTHING, faultsOf, type Part } from "./bounds.ts";
import {
  atomicClient,
  checkCompacted,
  compactedClient,
  deleter,
  grower,
  idempotentProducer,
  isSetback,
  keyedClient,
  plainProducer,
  reader,
  topicChurner,
} from "./clients.ts";
import { faultyStorage } from "./faulty-storage.ts";
import { History } from "./history.ts";
import { leftovers } from "./leftovers.ts";
import { CALM, Crashed, Process, pollingDoorbell, World } from "./world.ts";

/** Small, so that runs are many and producers come and go. */
const SMALL = { runRefs: 4, producersKept: 2, producersMost: 6, producerIdleMs: 500 };
/** Every seal moves every producer out of the head. */
const EAGER = { runRefs: 2, producersKept: 0, producersMost: 0, producerIdleMs: 0 };
/** How far a clock may be off, either way. */
const SKEW_MS = 20_000;
/** A writer finds out within 20 s what became of an append, and its clock and the roller's may differ by two skews. */
const SMALL_ROLLS = { graceMs: 70_000, segmentBytes: 600, runsMost: 3, sealRefs: EAGER.runRefs };
/** The floor protects blobs whatever their age. */
const BLOBS_GRACE_MS = 0;
/** Longer than making a topic, or looking at all objects once, takes in a storm. */
const SWEEP_GRACE_MS = 10_000_000;
const RETENTION_BYTES = 3000;
const STEPS_MOST = 60_000;

interface Running {
  readonly process: Process;
  readonly log: LogApi;
}

/** Changes what a process does, to see whether the checks notice. */
export type Sabotage = (storage: Storage) => Storage;

type RunOfJob = (parts: JobsParts, run: JobRun) => Promise<unknown>;

const JOBS: Readonly<Record<"roll" | "merge" | "compact" | "retain" | "sweep", RunOfJob>> = {
  async roll(parts, run) {
    if (run.byHand === true && parts.ids.random() < 0.1) await sealTails(parts, run);
    await roll({ ...parts, policy: SMALL_ROLLS }, run);
  },
  merge,
  compact: (parts, run) => compact({ ...parts, mapBytes: 1000, groupSegments: 3 }, run),
  retain: (parts, run) => retain({ ...parts, graceMs: SMALL_ROLLS.graceMs }, run),
  async sweep(parts, run) {
    const soon = { ...parts, graceMs: BLOBS_GRACE_MS };
    await sweepBlobs(soon, run, "all");
    const known = await readTopics(parts.storage.table);
    await sweepObjects({ ...parts, graceMs: SMALL_ROLLS.graceMs }, run, known);
    await sweep({ ...parts, graceMs: SWEEP_GRACE_MS }, run);
  },
};

export class Simulation {
  readonly world: World;
  readonly history = new History();
  partitions: number;
  stopping = false;
  readonly #bounds: Bounds;
  readonly #sealing: typeof SMALL;
  readonly #truth: Storage;
  readonly #sabotage: Sabotage;
  /** Readers and jobs: they end once `stopping`. */
  readonly #atWork: Promise<void>[] = [];
  #running: Running[] = [];
  #started = 0;

  constructor(seed: number, sabotage: Sabotage = (storage: Storage) => storage, bounds: Bounds = EVERYTHING) {
    this.world = new World(seed);
    this.#bounds = bounds;
    this.#sealing = this.world.chance(0.25) ? EAGER : SMALL;
    this.partitions = 1 + this.world.below(2);
    this.#sabotage = sabotage;
    this.#truth = memoryStorage({ clock: this.world.clock(undefined) });
  }

  /** Plays it to the end; answers the violations. What the code throws that it may not is one too. */
  async play(): Promise<string[]> {
    try {
      return await this.#play();
    } catch (error) {
      return [...this.history.wrong, error instanceof Error ? (error.stack ?? error.message) : String(error)];
    }
  }

  /** Of everything that happened, step by step, and what clients were told. */
  get digest(): string {
    const { acked, seen, wrong } = this.history;
    return createHash("sha256")
      .update(JSON.stringify([this.world.trace, acked, seen, wrong]))
      .digest("hex");
  }

  #has(part: Part): boolean {
    return !this.#bounds.without.includes(part);
  }

  async #play(): Promise<string[]> {
    const { world } = this;
    /** Between these, scaled. */
    const some = (part: Part, least: number, most: number): number =>
      this.#has(part) ? Math.ceil((least + world.below(most - least + 1)) * this.#bounds.scale) : 0;
    const { log } = this.#start();
    const policy = this.#has("policy") && world.chance(0.3);
    const configs = { "retention.bytes": String(policy ? RETENTION_BYTES : -1), "retention.ms": "-1", "segment.ms": "600000" };
    await this.#finish([log.createTopic({ name: "t", partitions: this.partitions, configs })]);
    world.faults = faultsOf(this.#bounds);
    this.#start();
    const deletes = world.chance(0.5);
    const clients = [
      plainProducer(this, "plain", some("plain", 10, 30)),
      idempotentProducer(this, "idem-a", some("idempotent", 5, 20)),
      idempotentProducer(this, "idem-b", some("idempotent", 5, 20)),
      ...Array.from({ length: some("few", 0, 15) }, (_, i) => idempotentProducer(this, `few-${i}`, 1 + world.below(4))),
      keyedClient(this, "keyed", some("keyed", 0, 8)),
      atomicClient(this, "atomic", some("atomic", 0, 4)),
      deleter(this, deletes ? some("deletes", 3, 3) : 0),
      deleter(this, deletes ? some("deletes", 0, 3) : 0),
      compactedClient(this, world.chance(0.4) ? some("compacted", 10, 30) : 0),
      topicChurner(this, world.chance(0.4) ? some("topics", 1, 3) : 0),
      grower(this, world.chance(0.2) ? some("grow", 1, 2) : 0),
    ];
    for (const [name, run] of Object.entries(JOBS)) {
      if (!this.#has(name as Part)) continue;
      for (let i = 0; i < 2; i++) this.#work(this.#job(run));
    }
    for (let p = 0; p < this.partitions; p++) this.#read(p);
    await this.#finish(clients);
    world.faults = CALM;
    this.stopping = true;
    await this.#finish(this.#atWork);
    await world.flushLate();
    await this.#finish([checkCompacted(this)]);
    const before = this.history.violations(await this.#everything());
    if (before.length > 0) return before;
    // Seals that are still under way.
    await this.#finish(this.#running.filter(({ process }) => !process.crashed).map(({ log: one }) => one.close()));
    await this.#quiet();
    await this.#finish([checkCompacted(this)]);
    const records = await this.#everything();
    return [...this.history.violations(records), ...this.#keptTooLittle(records, policy), ...(await leftovers(this.#truth))];
  }

  /** A partition more. */
  grewTo(total: number): void {
    for (let p = this.partitions; p < total; p++) this.#read(p);
    this.partitions = total;
  }

  #read(partition: number): void {
    if (this.#has("readers")) this.#work(reader(this, partition));
  }

  /** Goes on beside the clients; what it throws is a violation. */
  #work(done: Promise<void>): void {
    const told = (error: unknown): void => {
      this.history.wrong.push(error instanceof Error ? (error.stack ?? error.message) : String(error));
    };
    this.#atWork.push(done.catch(told));
  }

  async #everything(): Promise<KafkaRecord[][]> {
    const all: KafkaRecord[][] = [];
    const readInto = async (partition: number): Promise<void> => {
      all[partition] = await this.#readAll(partition);
    };
    await this.#finish(Array.from({ length: this.partitions }, (_, partition) => readInto(partition)));
    return all;
  }

  /** Every job a few times, hours apart, with nobody else there. */
  async #quiet(): Promise<void> {
    for (let i = 0; i < 4; i++) {
      this.world.nowMs += 2 * SWEEP_GRACE_MS;
      const process = new Process("quiet", 0);
      const parts = this.#parts(this.#truth, process);
      for (const run of Object.values(JOBS)) {
        await this.#finish([run(parts, { untilMs: Number.POSITIVE_INFINITY, byHand: true })]);
      }
    }
  }

  /** The policy gives up no more than it may. */
  #keptTooLittle(logs: readonly KafkaRecord[][], policy: boolean): string[] {
    return logs.flatMap((records, p) => {
      const start = records.findIndex((record) => record !== undefined);
      const from = start < 0 ? records.length : start;
      if (from <= (this.history.deletedTo[p] ?? 0)) return [];
      if (!policy) return [`partition ${p} starts at ${from}, and nobody deleted its records`];
      return [];
    });
  }

  /** Calls some process that is alive; fails with `Crashed` when it dies, or is not waited for. */
  call<T>(use: (log: LogApi) => Promise<T>): Promise<T> {
    return this.on(this.someProcess(), use);
  }

  on<T>({ process, log }: Running, use: (log: LogApi) => Promise<T>): Promise<T> {
    const answers = [use(log), process.onCrash.promise];
    if (this.world.chance(0.1)) answers.push(this.#loseInterest());
    return Promise.race(answers);
  }

  /** A client that does not wait for its answer; the process works on. */
  async #loseInterest(): Promise<never> {
    await this.world.clock(undefined).sleep(this.world.below(100));
    throw new Crashed("the client's patience");
  }

  /** Calls again and again, any process, until it is answered. */
  async untilAnswered<T>(use: (log: LogApi) => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await this.call(use);
      } catch (error) {
        if (!isSetback(error)) throw error;
        await this.pause();
      }
    }
  }

  someProcess(): Running {
    this.#running = this.#running.filter(({ process }) => !process.crashed);
    while (this.#running.length < 2) this.#start();
    return this.world.pick(this.#running);
  }

  pause(): Promise<void> {
    return this.world.clock(undefined).sleep(this.world.below(60));
  }

  /** Does a job again and again, in a process of its own, which is started anew when it dies. */
  async #job(run: RunOfJob): Promise<void> {
    while (!this.stopping) {
      const { world } = this;
      const process = new Process(`job${this.#started++}`, this.#skew());
      const storage = faultyStorage(this.#sabotage(this.#truth), world, process);
      const parts = this.#parts(storage, process);
      while (!this.stopping && !process.crashed) {
        try {
          const once = run(parts, { untilMs: world.nowMs + 1000, byHand: world.chance(0.5) });
          await Promise.race([once, process.onCrash.promise]);
        } catch (error) {
          if (!(error instanceof Crashed) && !(error instanceof StorageError) && !isSetback(error)) {
            this.history.wrong.push(`a job throws ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
          }
        }
        await this.pause();
      }
    }
  }

  #parts(storage: Storage, process: Process): JobsParts {
    const digest = (key: Uint8Array): Uint8Array => createHash("sha256").update(key).digest();
    return { storage, clock: this.world.clock(process), ids: this.world.ids(process), codecs: {}, digest };
  }

  #skew(): number {
    return this.#has("skew") ? this.world.pick([0, 0, -SKEW_MS, SKEW_MS]) : 0;
  }

  #start(): Running {
    const { world } = this;
    const process = new Process(`p${this.#started++}`, this.#skew());
    const clock = world.clock(process);
    const storage = faultyStorage(this.#sabotage(this.#truth), world, process);
    const log = createLog({
      storage,
      clock,
      ids: world.ids(process),
      doorbell: pollingDoorbell(world, process, 20),
      codecs: {},
      sealing: this.#sealing,
    });
    const running = { process, log };
    this.#running.push(running);
    return running;
  }

  #finish(work: readonly Promise<unknown>[]): Promise<void> {
    return this.world.finish(work, STEPS_MOST);
  }

  /** By offset, from the log start on. */
  async #readAll(partition: number): Promise<KafkaRecord[]> {
    for (;;) {
      try {
        return await this.#readFromStart(partition);
      } catch (error) {
        // A job that is still at work has moved the log start.
        if (!(error instanceof BrokerlessError && error.code === "offset_out_of_range")) throw error;
      }
    }
  }

  async #readFromStart(partition: number): Promise<KafkaRecord[]> {
    const { offset: start } = await this.untilAnswered((log) => log.listOffset("t", partition, { at: "earliest" }));
    const records = new Array<KafkaRecord>(start);
    for (;;) {
      const read = await this.untilAnswered((log) => log.read({ topic: "t", partition, offset: records.length }));
      for (const bytes of read.batches) {
        for (const batch of batchHeaders(bytes))
          records.push(...decodeBatch(bytes, batch.at, {}).filter((one) => one.offset >= records.length));
      }
      if (read.nextOffset >= read.logEndOffset) return records;
    }
  }
}

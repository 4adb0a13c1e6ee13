/**
 * One simulation of transactions: processes over a storage with faults, producers of both versions of Kafka's protocol with zombies,
 * atomic requests, readers, and all jobs underneath; then the check of what clients were told (`history.ts`).
 */
import { createHash } from "node:crypto";
import { createGroups } from "../../../lib/groups/groups.ts";
import type { GroupsApi } from "../../../lib/groups/types.ts";
import { createLog, type LogApi } from "../../../lib/log/index.ts";
import { compact } from "../../../lib/log/jobs/compact/index.ts";
import { type JobRun, type JobsParts, merge, retain, roll, sweep } from "../../../lib/log/jobs/index.ts";
import { type Storage, StorageError } from "../../../lib/ports/index.ts";
import { memoryStorage } from "../../../lib/storage/memory/index.ts";
import { settleTransactions } from "../../../lib/transactions/job.ts";
import { createTransactions, type Transactions } from "../../../lib/transactions/transactions.ts";
import { faultyStorage } from "../faulty-storage.ts";
import { CALM, Crashed, Process, pollingDoorbell, STORMY, World } from "../world.ts";
import { atomicClient, committedReader, offsetWatcher } from "./clients.ts";
import { type Seen, TransactionHistory } from "./history.ts";
import { INPUT, isBusy, isOver, PLACES, type Place, placeName, TOPICS } from "./names.ts";
import { transactionalProducer } from "./producer.ts";
import { shown } from "./show.ts";

/** How far a clock may be off, either way. */
const SKEW_MS = 2_000;
const STEPS_MOST = 200_000;
const SMALL = { runRefs: 4, producersKept: 2, producersMost: 6, producerIdleMs: 500 };
const SMALL_ROLLS = { graceMs: 30_000, segmentBytes: 600, runsMost: 3, sealRefs: 2 };
const SWEEP_GRACE_MS = 10_000_000;

/** Takes a rule out, in what reaches the storage, or in what the parts answer each other. */
export interface Sabotage {
  readonly storage?: (storage: Storage) => Storage;
  readonly log?: (log: LogApi) => LogApi;
  readonly groups?: (groups: GroupsApi) => GroupsApi;
}

export interface Running {
  readonly process: Process;
  readonly log: LogApi;
  readonly groups: GroupsApi;
  readonly transactions: Transactions;
  readonly parts: JobsParts;
}

type RunOfJob = (running: Running, run: JobRun) => Promise<unknown>;
const JOBS: readonly RunOfJob[] = [
  ({ parts }, run) => roll({ ...parts, policy: SMALL_ROLLS }, run),
  ({ parts }, run) => merge(parts, run),
  ({ parts }, run) => compact({ ...parts, mapBytes: 1000, groupSegments: 3 }, run),
  ({ parts }, run) => retain({ ...parts, graceMs: SMALL_ROLLS.graceMs }, run),
  ({ parts }, run) => sweep({ ...parts, graceMs: SWEEP_GRACE_MS }, run),
  ({ parts, transactions }, run) => settleTransactions({ ...parts, transactions }, run),
];

export class TransactionSimulation {
  readonly world: World;
  readonly history = new TransactionHistory();
  stopping = false;
  readonly #truth: Storage;
  readonly #sabotage: Sabotage;
  readonly #atWork: Promise<void>[] = [];
  #running: Running[] = [];
  #started = 0;

  constructor(seed: number, sabotage: Sabotage = {}) {
    this.world = new World(seed);
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
    const { transactions, readers } = this.history;
    return createHash("sha256")
      .update(JSON.stringify([this.world.trace, transactions, readers]))
      .digest("hex");
  }

  async #play(): Promise<string[]> {
    const { world } = this;
    await this.#finish([this.#makeTopics()]);
    world.faults = STORMY;
    const second = world.chance(0.5);
    const producers = [0, 1, 2].map((i) => ({ client: `tx${i}`, bumps: i === 0 ? second : i === 1 }));
    for (const place of PLACES) this.#work(committedReader(this, place));
    for (const { client } of producers) this.#work(offsetWatcher(this, client));
    for (const job of JOBS) this.#work(this.#job(job));
    await this.#finish([
      ...producers.map(({ client, bumps }) => transactionalProducer(this, client, bumps)),
      atomicClient(this, "atomic", world.below(8)),
    ]);
    world.faults = CALM;
    this.stopping = true;
    await this.#finish(this.#atWork);
    await world.flushLate();
    await this.#finish(this.#running.filter(({ process }) => !process.crashed).map(({ log }) => log.close()));
    await this.#quiet();
    const wrong = await this.#judge();
    if (wrong.length > 0) return wrong;
    // Segments are rolled, merged and compacted by then, and say the same.
    for (let i = 0; i < 3; i++) await this.#quiet();
    return this.#judge();
  }

  async #makeTopics(): Promise<void> {
    const { log } = this.#start();
    await log.createTopic({ name: INPUT });
    const common = { "retention.ms": "-1", "segment.ms": "600000" };
    const compacted = { ...common, "cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0", "delete.retention.ms": "0" };
    for (const name of TOPICS) {
      const partitions = PLACES.filter(({ topic }) => topic === name).length;
      await log.createTopic({ name, partitions, configs: name === "compacted" ? compacted : common });
    }
  }

  async #judge(): Promise<string[]> {
    const committed = new Map<string, Seen[]>();
    const uncommitted = new Map<string, Seen[]>();
    const offsets = new Map<string, number>();
    const clients = new Set(this.history.transactions.map(({ client }) => client));
    await this.#finish([
      ...PLACES.map(async (place) => {
        committed.set(placeName(place), await this.#readAll(place, "read_committed"));
        uncommitted.set(placeName(place), await this.#readAll(place, "read_uncommitted"));
      }),
      ...[...clients].map(async (client) => offsets.set(client, await this.committed(client))),
    ]);
    return [...this.history.judge(committed, uncommitted, offsets), ...(await this.#stillOpen())];
  }

  /** After all that was open has taken too long, and the job has been there. */
  async #stillOpen(): Promise<string[]> {
    const { log, transactions } = this.#start(this.#truth);
    const open: string[] = [];
    await this.#finish([
      (async () => {
        for (const { transactionalId, phase } of await transactions.list())
          if (phase === "Ongoing" || phase.startsWith("Prepare")) open.push(`${transactionalId} is ${phase} for ever`);
        for (const topic of TOPICS) {
          for (const { partition, logEndOffset, lastStableOffset } of await log.partitions(topic))
            if (lastStableOffset !== logEndOffset)
              open.push(`${topic}-${partition} is stable up to ${lastStableOffset} of ${logEndOffset}`);
        }
      })(),
    ]);
    return open;
  }

  async #readAll(place: Place, isolation: "read_committed" | "read_uncommitted"): Promise<Seen[]> {
    const seen: Seen[] = [];
    for (let offset = 0; ; ) {
      const read = await this.untilAnswered(({ log }) => log.read({ ...place, offset, isolation }));
      seen.push(...shown(read, offset));
      if (read.nextOffset >= read.lastStableOffset || read.nextOffset === offset) return seen;
      offset = read.nextOffset;
    }
  }

  /** What a group has committed of the input; -1: nothing. */
  async committed(group: string): Promise<number> {
    const topics = [{ topic: INPUT, partitions: [0] }];
    const [found] = await this.untilAnswered(({ groups }) => groups.fetchOffsets({ group, topics }));
    return found?.offset ?? -1;
  }

  /** Every job a few times, hours apart, with nobody else there. */
  async #quiet(): Promise<void> {
    for (let i = 0; i < 2; i++) {
      this.world.nowMs += 2 * SWEEP_GRACE_MS;
      const running = this.#start(this.#truth);
      for (const job of JOBS) await this.#finish([job(running, { untilMs: Number.POSITIVE_INFINITY, byHand: true })]);
    }
  }

  #work(done: Promise<void>): void {
    const told = (error: unknown): void => {
      this.history.wrong.push(error instanceof Error ? (error.stack ?? error.message) : String(error));
    };
    this.#atWork.push(done.catch(told));
  }

  /** Does a job again and again, in a process of its own, which is started anew when it dies. */
  async #job(job: RunOfJob): Promise<void> {
    while (!this.stopping) {
      const running = this.#start();
      while (!this.stopping && !running.process.crashed) {
        try {
          const run = { untilMs: this.world.nowMs + 5_000, byHand: this.world.chance(0.3) };
          await Promise.race([job(running, run), running.process.onCrash.promise]);
        } catch (error) {
          if (!(error instanceof StorageError) && !isBusy(error) && !isOver(error)) throw error;
        }
        await this.sleep(300);
      }
    }
  }

  /** Asks some process that is alive, again and again, so often at most. `patient`: a process that works is waited for. */
  async untilAnswered<T>(
    use: (running: Running) => Promise<T>,
    { patient = false, tries = Number.POSITIVE_INFINITY } = {},
  ): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      const running = this.#someProcess();
      const answers = [use(running), running.process.onCrash.promise];
      if (!patient && this.world.faults !== CALM && this.world.chance(0.05)) answers.push(this.#loseInterest());
      try {
        return await Promise.race(answers);
      } catch (error) {
        if (!isBusy(error) || attempt === tries) throw error;
        await this.sleep(60);
      }
    }
  }

  async #loseInterest(): Promise<never> {
    await this.world.clock(undefined).sleep(this.world.below(100));
    throw new Crashed("the client's patience");
  }

  /** Up to so long. */
  sleep(mostMs: number): Promise<void> {
    return this.world.clock(undefined).sleep(this.world.below(mostMs));
  }

  #someProcess(): Running {
    this.#running = this.#running.filter(({ process }) => !process.crashed);
    while (this.#running.length < 3) this.#running.push(this.#start());
    return this.world.pick(this.#running);
  }

  #start(over?: Storage): Running {
    const { world } = this;
    const process = new Process(`p${this.#started++}`, over === undefined ? world.pick([0, 0, -SKEW_MS, SKEW_MS]) : 0);
    const altered = this.#sabotage.storage?.(this.#truth) ?? this.#truth;
    const storage = over ?? faultyStorage(altered, world, process);
    const common = { storage, clock: world.clock(process), ids: world.ids(process) };
    const doorbell = pollingDoorbell(world, process, 20);
    const plain = createLog({ ...common, doorbell, codecs: {}, sealing: SMALL });
    const log = this.#sabotage.log?.(plain) ?? plain;
    const found = createGroups({ ...common, log, doorbell });
    const groups = this.#sabotage.groups?.(found) ?? found;
    const digest = (key: Uint8Array): Uint8Array => createHash("sha256").update(key).digest();
    const transactions = createTransactions({ ...common, log, groups });
    return { process, log, groups, transactions, parts: { ...common, codecs: {}, digest } };
  }

  #finish(work: readonly Promise<unknown>[]): Promise<void> {
    return this.world.finish(work, STEPS_MOST);
  }
}

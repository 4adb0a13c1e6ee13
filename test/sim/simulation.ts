/** One simulation: a storage, some processes over it, clients that use them, and the check of what they were told. */
import { batchHeaders, decodeBatch, type KafkaRecord } from "../../lib/kafka/index.ts";
import { createLog, type LogApi } from "../../lib/log/index.ts";
import { retain, roll } from "../../lib/log/jobs/index.ts";
import { type Clock, type Doorbell, type Ids, type Storage, StorageError } from "../../lib/ports/index.ts";
import { memoryStorage } from "../../lib/storage/memory/index.ts";
import { atomicClient, deleter, idempotentProducer, isSetback, keyedClient, plainProducer, reader } from "./clients.ts";
import { faultyStorage } from "./faulty-storage.ts";
import { History } from "./history.ts";
import { CALM, Crashed, Process, World } from "./world.ts";

/** Small, so that runs are many and producers come and go. */
const SMALL = { runRefs: 4, producersKept: 2, producersMost: 6, producerIdleMs: 500 };
/** Writers give up waiting for an answer after 20 s; their refs must be found as long. */
const SMALL_ROLLS = { graceMs: 30_000, segmentBytes: 600, runsMost: 3 };
const STEPS_MOST = 20_000;

interface JobParts {
  readonly storage: Storage;
  readonly clock: Clock;
  readonly ids: Ids;
}

interface Running {
  readonly process: Process;
  readonly log: LogApi;
}

/** Changes what a process does, to see whether the checks notice. */
export type Sabotage = (storage: Storage) => Storage;

export class Simulation {
  readonly world: World;
  readonly history = new History();
  readonly partitions: number;
  stopping = false;
  readonly #truth: Storage;
  readonly #sabotage: Sabotage;
  #running: Running[] = [];
  #started = 0;

  constructor(seed: number, sabotage: Sabotage = (storage: Storage) => storage) {
    this.world = new World(seed);
    this.partitions = 1 + this.world.below(2);
    this.#sabotage = sabotage;
    this.#truth = memoryStorage({ clock: this.world.clock(undefined) });
  }

  /** Plays it to the end; answers the violations. */
  async play(): Promise<string[]> {
    const { world } = this;
    const faults = world.faults;
    world.faults = CALM;
    const { log } = this.#start();
    await this.#finish([log.createTopic({ name: "t", partitions: this.partitions })]);
    world.faults = faults;
    this.#start();
    const deletes = world.chance(0.5);
    const clients = [
      plainProducer(this, "plain", 10 + world.below(20)),
      idempotentProducer(this, "idem-a", 5 + world.below(15)),
      idempotentProducer(this, "idem-b", 5 + world.below(15)),
      ...Array.from({ length: world.below(16) }, (_, i) => idempotentProducer(this, `few-${i}`, 1 + world.below(4))),
      keyedClient(this, "keyed", world.below(6)),
      atomicClient(this, "atomic", world.below(5)),
      deleter(this, deletes ? 3 : 0),
    ];
    for (let i = 0; i < 2; i++)
      void this.#job((parts) => roll({ ...parts, policy: SMALL_ROLLS }, { untilMs: world.nowMs + 1000 }));
    if (deletes)
      for (let i = 0; i < 2; i++)
        void this.#job((parts) => retain({ ...parts, graceMs: SMALL_ROLLS.graceMs }, { untilMs: world.nowMs + 1000 }));
    const readers = Array.from({ length: this.partitions }, (_, p) => reader(this, p));
    await this.#finish(clients);
    world.faults = CALM;
    this.stopping = true;
    await this.#finish(readers);
    await world.flushLate();
    const final: KafkaRecord[][] = [];
    const readInto = async (partition: number): Promise<void> => {
      final[partition] = await this.#readAll(partition);
    };
    await this.#finish(Array.from({ length: this.partitions }, (_, partition) => readInto(partition)));
    return this.history.violations(final);
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
  async #job(run: (parts: JobParts) => Promise<unknown>): Promise<void> {
    while (!this.stopping) {
      const { world } = this;
      const process = new Process(`job${this.#started++}`, 0);
      const storage = faultyStorage(this.#sabotage(this.#truth), world, process);
      const parts = { storage, clock: world.clock(process), ids: world.ids(process) };
      while (!this.stopping && !process.crashed) {
        try {
          await Promise.race([run(parts), process.onCrash.promise]);
        } catch (error) {
          if (!(error instanceof Crashed) && !(error instanceof StorageError)) throw error;
        }
        await this.pause();
      }
    }
  }

  #start(): Running {
    const { world } = this;
    const process = new Process(`p${this.#started++}`, world.pick([0, 0, -20_000, 20_000]));
    const clock = world.clock(process);
    const storage = faultyStorage(this.#sabotage(this.#truth), world, process);
    const log = createLog({
      storage,
      clock,
      ids: world.ids(process),
      doorbell: pollingDoorbell(world, process),
      codecs: {},
      sealing: SMALL,
    });
    const running = { process, log };
    this.#running.push(running);
    return running;
  }

  async #finish(work: readonly Promise<unknown>[]): Promise<void> {
    let done = false;
    let failure: unknown;
    const all = Promise.all(work).then(
      () => {
        done = true;
      },
      (error) => {
        failure = error;
        done = true;
      },
    );
    await this.world.run(() => done, STEPS_MOST);
    if (!done) throw new Error("nothing can happen any more, and clients still wait");
    await all;
    if (failure !== undefined) throw failure;
  }

  /** By offset, from the log start on. */
  async #readAll(partition: number): Promise<KafkaRecord[]> {
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

/** As on Lambda: nobody rings, the reader looks again after a while. */
function pollingDoorbell(world: World, process: Process): Doorbell {
  return {
    ring() {},
    wait: (_partitions, deadlineMs, signal) =>
      world
        .clock(process)
        .sleep(Math.max(0, Math.min(20, deadlineMs - world.nowMs)), signal)
        .catch(() => undefined),
  };
}

/**
 * One simulation of a queue: processes over a storage with faults, producers, workers, the job, and the check of what workers were told. It
 * has two lives: the group is deleted after the first, while processes and late writes go on.
 */
import { createHash } from "node:crypto";
import { createGroups } from "../../../lib/groups/groups.ts";
import { configKey, decodeConfigs, putConfigs } from "../../../lib/groups/items/config.ts";
import { tendQueues } from "../../../lib/groups/share/job.ts";
import { redrive } from "../../../lib/groups/share/redrive.ts";
import { createShareGroups } from "../../../lib/groups/share/share.ts";
import type { ShareGroupsApi } from "../../../lib/groups/share/types.ts";
import type { GroupsApi } from "../../../lib/groups/types.ts";
import { batchHeaders, decodeBatch, encodeBatch } from "../../../lib/kafka/index.ts";
import { createLog, type LogApi } from "../../../lib/log/index.ts";
import { type Storage, StorageError } from "../../../lib/ports/index.ts";
import { memoryStorage } from "../../../lib/storage/memory/index.ts";
import { isSetback } from "../clients.ts";
import { faultyStorage } from "../faulty-storage.ts";
import { CALM, Crashed, Process, pollingDoorbell, STORMY, World } from "../world.ts";
import { type Kept, type Letter, placeOf, ShareHistory } from "./history.ts";
import { codeOf, DEAD_LETTERS, GROUP, OTHER, TOPIC } from "./names.ts";
import { drain, textOf, worker } from "./worker.ts";

/** How far a clock may be off, either way. */
const SKEW_MS = 1000;
const STEPS_MOST = 60_000;

/** Takes a rule out, in what reaches the storage, in what the log is asked for, or in what workers are answered. */
export interface Sabotage {
  readonly storage?: (storage: Storage) => Storage;
  readonly log?: (log: LogApi) => LogApi;
  readonly shares?: (shares: ShareGroupsApi, storage: Storage) => ShareGroupsApi;
}

interface Running {
  readonly process: Process;
  readonly groups: Pick<GroupsApi, "delete">;
  readonly shares: ShareGroupsApi;
  readonly log: LogApi;
}

export class ShareSimulation {
  readonly world: World;
  /** Those that workers take from, by id. */
  readonly topics = new Map<string, { readonly name: string; readonly partitions: number }>();
  readonly #limit: number;
  readonly #buries: boolean;
  readonly #windowMost: number;
  readonly #sabotage: Sabotage;
  readonly #truth: Storage;
  readonly #wrong: string[] = [];
  /** Retention has taken records of the topic: what a worker holds of them is settled no more. */
  retained = false;
  #stopping = false;
  #running: Running[] = [];
  #started = 0;
  #sent = 0;

  constructor(seed: number, sabotage: Sabotage = {}) {
    this.world = new World(seed);
    this.#limit = this.world.pick([2, 3, 5]);
    this.#buries = this.world.chance(0.8);
    // Far below what may be set: what is parked at 2,000 is parked here all the time.
    this.#windowMost = this.world.pick([3, 8, 100]);
    this.#sabotage = sabotage;
    this.#truth = memoryStorage({ clock: this.world.clock(undefined) });
  }

  /** Plays it to the end; answers the violations. What the code throws that it may not is one too. */
  async play(): Promise<string[]> {
    try {
      await this.#play();
    } catch (error) {
      this.#broken(error);
    }
    return this.#wrong;
  }

  /** Of everything that happened, step by step. */
  get digest(): string {
    return createHash("sha256")
      .update(JSON.stringify([this.world.trace, this.#wrong]))
      .digest("hex");
  }

  readonly #broken = (error: unknown): void => {
    this.#wrong.push(error instanceof Error ? (error.stack ?? error.message) : String(error));
  };

  async #play(): Promise<void> {
    const { world } = this;
    const configs = {
      "share.delivery.count.limit": String(this.#limit),
      "share.partition.max.record.locks": String(this.#windowMost),
      ...(this.#buries && { "errors.deadletterqueue.topic.name": DEAD_LETTERS }),
    };
    const before = decodeConfigs(GROUP, await this.#truth.table.get(configKey(GROUP)));
    await this.#truth.table.write(putConfigs(GROUP, configs, before));
    await this.#finish([this.#make(TOPIC, 1 + world.below(2))]);
    let unanswered = 0;
    for (let life = 1; life <= 2 && this.#wrong.length === 0; life++) {
      const history = new ShareHistory(world, this.#limit, 2 * SKEW_MS);
      history.unanswered = unanswered;
      await this.#live(history, life);
      this.#wrong.push(...history.wrong);
      unanswered = history.unanswered;
      if (life > 1) continue;
      // A deletion may die at any step, and its writes come late.
      world.faults = { ...STORMY, longPause: 0 };
      await this.#finish([this.#deleteGroup()]);
    }
    if (this.#wrong.length > 0) return;
    if (this.#buries && world.chance(0.5)) await this.#redriveAll();
    await world.flushLate();
    await this.#finish([this.#deleteGroup()]);
    await this.#leftovers();
  }

  /** A storm, then a calm in which everything is worked off. */
  async #live(history: ShareHistory, life: number): Promise<void> {
    const { world } = this;
    this.#stopping = false;
    world.faults = { ...STORMY, longPause: 0 };
    const letters = (await this.#read(DEAD_LETTERS, 0)).length;
    const beside = [this.#tend(), this.#churn()].map((work) => work.catch(this.#broken));
    const workers = Array.from({ length: 3 }, (_, i) => worker(this, history, `w${life}${i}`, 12 + world.below(12)));
    await this.#finish([this.#produce(10 + world.below(15)), ...workers]);
    this.#stopping = true;
    world.faults = CALM;
    await this.#finish(beside);
    if (life === 2) await world.flushLate();
    await this.#finish([drain(this, history, `last${life}`)]);
    await this.#finish([this.#check(history, letters, life === 2)]);
  }

  /** `last`: nothing comes late any more; before, an append may come after everything was worked off. */
  async #check(history: ShareHistory, lettersBefore: number, last: boolean): Promise<void> {
    const kept: Kept[] = [];
    for (const [topicId, { name, partitions }] of this.topics) {
      for (let partition = 0; partition < partitions; partition++) {
        const { offset: from } = await this.untilAnswered(({ log }) => log.listOffset(name, partition, { at: "earliest" }));
        for (const { offset, value } of await this.#read(name, partition)) {
          if (offset >= from) kept.push({ topicId, topic: name, partition, offset, value });
        }
      }
    }
    const letters: Letter[] = (await this.#read(DEAD_LETTERS, 0)).slice(lettersBefore);
    const depths = await this.untilAnswered(({ shares }) => shares.depths(GROUP));
    const ends = new Map(depths.map((one) => [`${one.topicId} ${one.partition}`, one.endOffset]));
    const isSettled = ({ topicId, partition, offset }: Kept): boolean => offset < (ends.get(`${topicId} ${partition}`) ?? 0);
    history.ended(last ? kept : kept.filter(isSettled), letters, this.#buries);
    for (const one of depths) {
      const { topicId, partition, startOffset, endOffset, logEndOffset, depth, inFlight, parked, dying } = one;
      const behind = logEndOffset - endOffset;
      const left = { depth: depth - behind, inFlight, parked, dying, behind: last ? behind : 0, open: endOffset - startOffset };
      if (Object.values(left).some((count) => count !== 0))
        history.wrong.push(`K6: when all is done, ${placeOf(topicId, partition, startOffset)} has ${JSON.stringify(left)}`);
    }
    if (depths.length === 0) history.wrong.push("K6: the group has no share partitions");
  }

  /** Every dead letter goes back once to where it came from, whatever crashes. */
  async #redriveAll(): Promise<void> {
    const { world } = this;
    const valuesOf = async (): Promise<string[]> => {
      const values: string[] = [];
      for (const { name, partitions } of this.topics.values())
        for (let p = 0; p < partitions; p++) values.push(...(await this.#read(name, p)).map(({ value }) => value));
      return values;
    };
    const before = await valuesOf();
    const there = new Set([...this.topics.values()].map(({ name }) => name));
    const dead = await this.#read(DEAD_LETTERS, 0);
    const letters = dead.filter(({ headers }) => there.has(headers.get("brokerless-dlq-topic") ?? ""));
    world.faults = { ...STORMY, crash: 0.002, longPause: 0 };
    await this.#finish([this.#redriveSome(6)]);
    world.faults = CALM;
    await this.#finish([this.#redriveSome(30)]);
    const died = (await this.#read(DEAD_LETTERS, 0)).slice(dead.length).map(({ value }) => value);
    const counts = Map.groupBy(await valuesOf(), (value) => value);
    for (const { value } of letters) {
      if (died.includes(value)) continue;
      const had = before.filter((one) => one === value).length;
      const has = counts.get(value)?.length ?? 0;
      const want = had + letters.filter((one) => one.value === value).length;
      if (has !== want) this.#wrong.push(`redrive: ${value} is there ${has} times; it takes ${want}`);
    }
  }

  async #redriveSome(rounds: number): Promise<void> {
    for (let i = 0; i < rounds; i++) {
      const request = {
        group: GROUP,
        topic: DEAD_LETTERS,
        holder: `redrive${this.#sent++}`,
        maxRecords: 10,
        checkTopic: () => {},
      };
      try {
        await this.call(({ log, shares }) => redrive({ log, shares, codecs: {}, nowMs: this.world.nowMs }, request));
      } catch (error) {
        codeOf(error);
      }
      await this.world.clock(undefined).sleep(20_000);
    }
  }

  async #read(topic: string, partition: number) {
    const records: { offset: number; value: string; headers: Map<string, string> }[] = [];
    const log = this.#start(this.#truth).log;
    try {
      let { offset } = await log.listOffset(topic, partition, { at: "earliest" });
      for (;;) {
        const result = await log.read({ topic, partition, offset });
        for (const bytes of result.batches) {
          for (const header of batchHeaders(bytes)) {
            for (const record of header.isControl ? [] : decodeBatch(bytes, header.at, {})) {
              const headers = new Map(record.headers.map(({ key, value }) => [key, textOf(value)]));
              records.push({ offset: record.offset, value: textOf(record.value), headers });
            }
          }
        }
        if (result.nextOffset >= result.logEndOffset) return records;
        offset = result.nextOffset;
      }
    } catch (error) {
      if (codeOf(error) === "unknown_topic") return records;
      throw error;
    }
  }

  /** Records one by one and a few at a time, some for later, some poison. */
  async #produce(sends: number): Promise<void> {
    const { world } = this;
    for (let i = 0; i < sends; i++) {
      const [name, partitions] = world.pick([...this.topics.values()].map((one) => [one.name, one.partitions] as const));
      await this.#send(name, world.below(partitions));
      await this.sleep(1500);
      if (world.chance(0.03)) await this.#retain();
    }
  }

  async #send(topic: string, partition: number): Promise<void> {
    const { world } = this;
    const records = Array.from({ length: 1 + world.below(4) }, () => {
      const value = `${world.chance(0.15) ? "poison" : "job"}-${this.#sent++}`;
      const atMs = world.nowMs + world.below(40_000);
      const headers = world.chance(0.15) ? [{ key: "brokerless-deliver-at", value: Buffer.from(String(atMs)) }] : [];
      return { key: null, value: Buffer.from(value), headers };
    });
    const batches = encodeBatch(records, { timestampMs: world.nowMs });
    try {
      await this.call(({ log }) => log.append({ topic, partition, batches }));
    } catch (error) {
      codeOf(error);
    }
  }

  /** Takes away the oldest records of a partition. */
  async #retain(): Promise<void> {
    const [partition, upTo] = [0, this.world.below(6)];
    this.retained = true;
    try {
      await this.call(async ({ log }) => {
        const { offset } = await log.listOffset(TOPIC, partition, { at: "earliest" });
        const { offset: end } = await log.listOffset(TOPIC, partition, { at: "latest" });
        await log.deleteRecords(TOPIC, partition, Math.min(end, offset + upTo));
      });
    } catch (error) {
      codeOf(error);
    }
  }

  /** Makes a topic, and deletes it, again and again under one name. */
  async #churn(): Promise<void> {
    const { world } = this;
    while (!this.#stopping) {
      await this.sleep(20_000);
      const known = [...this.topics].find(([, { name }]) => name === OTHER);
      if (known === undefined) {
        if (world.chance(0.5)) await this.#make(OTHER, 1);
        continue;
      }
      if (world.chance(0.5)) continue;
      this.topics.delete(known[0]);
      await this.untilAnswered(({ log }) =>
        log.deleteTopic(OTHER).catch((error) => {
          if (error.code !== "unknown_topic") throw error;
        }),
      );
    }
  }

  async #make(name: string, partitions: number): Promise<void> {
    const topic = await this.untilAnswered(async ({ log }) => {
      await log.createTopic({ name, partitions }).catch((error) => {
        if (error.code !== "topic_exists") throw error;
      });
      return log.topic(name);
    });
    this.topics.set(topic.id, { name, partitions });
  }

  async #deleteGroup(): Promise<void> {
    // A process that were still at it after its client had given up could delete the group that is made next, as it was told to.
    const patient = true;
    await this.untilAnswered(
      ({ groups }) =>
        groups.delete(GROUP).catch((error) => {
          if (error.code !== "unknown_group") throw error;
        }),
      patient,
    );
  }

  async #leftovers(): Promise<void> {
    for (const prefix of ["Q#", `G#${GROUP}`]) {
      for await (const page of this.#truth.table.scan(prefix)) {
        for (const pk of page) this.#wrong.push(`left after the group was deleted: ${pk}`);
      }
    }
  }

  /** The job `queues`, again and again, in a process of its own, which is started anew when it dies. */
  async #tend(): Promise<void> {
    const { world } = this;
    while (!this.#stopping) {
      const { process, shares } = this.#start();
      const parts = { storage: faultyStorage(this.#altered(), world, process), clock: world.clock(process) };
      while (!this.#stopping && !process.crashed) {
        try {
          const run = { untilMs: Number.POSITIVE_INFINITY };
          await Promise.race([tendQueues(parts, shares, run), process.onCrash.promise]);
        } catch (error) {
          if (!(error instanceof StorageError)) codeOf(error);
        }
        await this.sleep(20_000);
      }
    }
  }

  /** Calls some process that is alive; fails with `Crashed` when it dies, or is not waited for. */
  call<T>(use: (services: Running) => Promise<T>, patient = false): Promise<T> {
    const running = this.#someProcess();
    const answers = [use(running), running.process.onCrash.promise];
    if (!patient && this.world.faults !== CALM && this.world.chance(0.05)) answers.push(this.#loseInterest());
    return Promise.race(answers);
  }

  async #loseInterest(): Promise<never> {
    await this.world.clock(undefined).sleep(this.world.below(100));
    throw new Crashed("the client's patience");
  }

  async untilAnswered<T>(use: (services: Running) => Promise<T>, patient = false): Promise<T> {
    for (;;) {
      try {
        return await this.call(use, patient);
      } catch (error) {
        if (!isSetback(error)) throw error;
        await this.sleep(60);
      }
    }
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

  #altered(): Storage {
    return this.#sabotage.storage?.(this.#truth) ?? this.#truth;
  }

  #start(over?: Storage): Running {
    const { world } = this;
    const process = new Process(`p${this.#started++}`, world.pick([0, 0, -SKEW_MS, SKEW_MS]));
    const storage = over ?? faultyStorage(this.#altered(), world, process);
    const common = { storage, clock: world.clock(process), ids: world.ids(process) };
    const plain = createLog({ ...common, doorbell: pollingDoorbell(world, process, 20), codecs: {} });
    const log = this.#sabotage.log?.(plain) ?? plain;
    const parts = { ...common, log, doorbell: pollingDoorbell(world, process, 400) };
    const shares = createShareGroups({ ...parts, codecs: {} });
    return { process, log, groups: createGroups(parts), shares: this.#sabotage.shares?.(shares, this.#truth) ?? shares };
  }

  #finish(work: readonly Promise<unknown>[]): Promise<void> {
    return this.world.finish(work, STEPS_MOST);
  }
}

/** One simulation of a consumer group: processes over a storage with faults, members of every kind, and the check of its history. */
import { createHash } from "node:crypto";
import { createGroups } from "../../../lib/groups/groups.ts";
import { expireOffsets } from "../../../lib/groups/offsets/expire.ts";
import { pollGroup } from "../../../lib/groups/poll/poll.ts";
import type { GroupsApi } from "../../../lib/groups/types.ts";
import { encodeBatch } from "../../../lib/kafka/index.ts";
import { createLog, type LogApi } from "../../../lib/log/index.ts";
import { type Storage, StorageError } from "../../../lib/ports/index.ts";
import { memoryStorage } from "../../../lib/storage/memory/index.ts";
import { isSetback } from "../clients.ts";
import { faultyStorage } from "../faulty-storage.ts";
import { CALM, Crashed, Process, pollingDoorbell, STORMY, World } from "../world.ts";
import { administrator, topicMaker } from "./administrator.ts";
import { classicMember } from "./classic-member.ts";
import { codeOf } from "./consumer.ts";
import { consumerMember } from "./consumer-member.ts";
import { GroupHistory } from "./history.ts";
import { GROUP, TOPIC } from "./names.ts";
import { observed } from "./observed.ts";
import { pollingMember } from "./polling-member.ts";

/** How far a clock may be off, either way. */
const SKEW_MS = 20_000;
const RETENTION_MS = 400_000;
const RECORDS = 12;
const STEPS_MOST = 60_000;
const DRAINED_WITHIN_MS = 3_000_000;

/** Takes a rule out, in what reaches the storage, or in what members are answered. */
export interface Sabotage {
  readonly storage?: (storage: Storage) => Storage;
  readonly groups?: (groups: GroupsApi) => GroupsApi;
  readonly poll?: typeof pollGroup;
}

type Kind = "classic" | "consumer" | "poll";
const MEMBERS: Readonly<Record<Kind, (sim: GroupSimulation, name: string, rounds: number) => Promise<void>>> = {
  classic: classicMember,
  consumer: consumerMember,
  poll: pollingMember,
};
const MIXES: readonly (readonly Kind[])[] = [["classic"], ["consumer"], ["poll"], ["consumer", "poll"], ["classic", "poll"]];

/** What each call to a process may use. */
export interface Running {
  readonly process: Process;
  readonly groups: GroupsApi;
  readonly log: LogApi;
}

export class GroupSimulation {
  readonly world: World;
  readonly history: GroupHistory;
  /** By topic id, how many records each partition has. */
  readonly records = new Map<string, number[]>();
  stopping = false;
  /** The last ones read to the end, and stop then. */
  draining = false;
  readonly poll: typeof pollGroup;
  readonly #sabotage: Sabotage;
  readonly #truth: Storage;
  #running: Running[] = [];
  #started = 0;

  constructor(seed: number, sabotage: Sabotage = {}) {
    this.world = new World(seed);
    this.history = new GroupHistory(this.world, RETENTION_MS, SKEW_MS);
    this.#sabotage = sabotage;
    this.poll = sabotage.poll ?? pollGroup;
    this.#truth = observed(memoryStorage({ clock: this.world.clock(undefined) }), GROUP, this.history);
  }

  /** Plays it to the end; answers the violations. What the code throws that it may not is one too. */
  async play(): Promise<string[]> {
    try {
      await this.#play();
    } catch (error) {
      this.#broken(error);
    }
    return this.history.wrong;
  }

  /** Of everything that happened, step by step. */
  get digest(): string {
    return createHash("sha256")
      .update(JSON.stringify([this.world.trace, this.history.wrong]))
      .digest("hex");
  }

  async #play(): Promise<void> {
    const { world } = this;
    await this.#finish([this.fill(TOPIC, 1 + world.below(3))]);
    const mix = world.pick(MIXES);
    const members = Array.from({ length: 2 + world.below(3) }, (_, i) => {
      const kind = world.pick(mix);
      return MEMBERS[kind](this, `${kind}${i}`, 20 + world.below(40));
    });
    world.faults = { ...STORMY, longPause: 0.0006 };
    const beside = [this.#expire(), administrator(this), topicMaker(this)].map((work) => work.catch(this.#broken));
    await this.#finish(members);
    this.stopping = true;
    world.faults = CALM;
    await this.#finish(beside);
    await world.flushLate();
    await this.#drain(world.pick(mix));
  }

  readonly #broken = (error: unknown): void => {
    this.history.wrong.push(error instanceof Error ? (error.stack ?? error.message) : String(error));
  };

  /** With nobody else there, a member reads everything to the end: nothing is locked for it, and nothing was missed. */
  async #drain(kind: Kind): Promise<void> {
    const { world } = this;
    world.nowMs += RETENTION_MS / 2;
    this.draining = true;
    const untilMs = world.nowMs + DRAINED_WITHIN_MS;
    await this.#finish([MEMBERS[kind](this, "last", 400)]);
    if (world.nowMs > untilMs) this.history.wrong.push(`draining took ${world.nowMs - untilMs} ms too long`);
    if (!this.drained()) this.history.wrong.push("Q1: not every record was processed and committed in the end");
  }

  /** Everything of the topic that stays was processed, and is committed. */
  drained(): boolean {
    const [topicId, partitions] = [...this.records][0] as [string, number[]];
    return partitions.every((count, p) => {
      const { from, applied } = this.history.of(topicId, p);
      return from >= count && (applied.at(-1)?.entry?.offset ?? -1) >= count;
    });
  }

  /** A topic with records in each partition; its id. */
  async fill(name: string, partitions: number): Promise<string> {
    const topic = await this.untilAnswered(async ({ log }) => {
      await log.createTopic({ name, partitions }).catch((error) => {
        if (error.code !== "topic_exists") throw error;
      });
      return log.topic(name);
    });
    const counts = Array.from({ length: partitions }, () => 0);
    for (let p = 0; p < partitions; p++) counts[p] = await this.#fillPartition(name, p);
    this.records.set(topic.id, counts);
    return topic.id;
  }

  async grow(name: string, topicId: string): Promise<void> {
    const counts = this.records.get(topicId) as number[];
    const total = counts.length + 1;
    await this.untilAnswered(({ log }) =>
      log.growPartitions(name, total).catch((error) => {
        if (error.code !== "invalid_partitions") throw error;
      }),
    );
    counts.push(await this.#fillPartition(name, total - 1));
  }

  async #fillPartition(name: string, partition: number): Promise<number> {
    const texts = Array.from({ length: RECORDS }, (_, i) => ({ key: null, value: new TextEncoder().encode(`${i}`) }));
    const batches = (): Uint8Array => encodeBatch(texts, { timestampMs: this.world.nowMs });
    await this.untilAnswered(({ log }) => log.append({ topic: name, partition, batches: batches() }));
    return this.untilAnswered(({ log }) => log.listOffset(name, partition, { at: "latest" }).then(({ offset }) => offset));
  }

  /** Calls some process that is alive; fails with `Crashed` when it dies, or is not waited for. */
  call<T>(use: (services: Running) => Promise<T>): Promise<T> {
    const running = this.#someProcess();
    const answers = [use(running), running.process.onCrash.promise];
    if (this.world.chance(0.05)) answers.push(this.#loseInterest());
    return Promise.race(answers);
  }

  async #loseInterest(): Promise<never> {
    await this.world.clock(undefined).sleep(this.world.below(100));
    throw new Crashed("the client's patience");
  }

  async untilAnswered<T>(use: (services: Running) => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await this.call(use);
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

  #start(): Running {
    const { world } = this;
    const process = new Process(`p${this.#started++}`, world.pick([0, 0, -SKEW_MS, SKEW_MS]));
    const common = { storage: this.#storageOf(process), clock: world.clock(process), ids: world.ids(process) };
    const log = createLog({ ...common, doorbell: pollingDoorbell(world, process, 20), codecs: {} });
    const parts = { ...common, log, doorbell: pollingDoorbell(world, process, 400) };
    const groups = createGroups(parts, { initialDelayMs: 300 });
    return { process, log, groups: this.#sabotage.groups?.(groups) ?? groups };
  }

  #storageOf(process: Process): Storage {
    return faultyStorage(this.#sabotage.storage?.(this.#truth) ?? this.#truth, this.world, process);
  }

  /** The expiry of offsets, again and again, in a process of its own, which is started anew when it dies. */
  async #expire(): Promise<void> {
    const { world } = this;
    while (!this.stopping) {
      const process = new Process(`job${this.#started++}`, world.pick([0, -SKEW_MS, SKEW_MS]));
      const parts = { storage: this.#storageOf(process), clock: world.clock(process), ids: world.ids(process) };
      while (!this.stopping && !process.crashed) {
        try {
          const once = expireOffsets({ ...parts, retentionMs: RETENTION_MS }, { untilMs: Number.POSITIVE_INFINITY });
          await Promise.race([once, process.onCrash.promise]);
        } catch (error) {
          if (!(error instanceof StorageError)) codeOf(error);
        }
        await this.sleep(20_000);
      }
    }
  }

  #finish(work: readonly Promise<unknown>[]): Promise<void> {
    return this.world.finish(work, STEPS_MOST);
  }
}

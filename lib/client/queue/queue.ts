/**
 * A queue: messages of topics to work on, each with one worker at a time, at least once.
 *
 *     for await (const job of client.queue({ group: "resizers", topics: "jobs" })) { await resize(job.value); await job.ack(); }
 *
 * What was taken is extended until it is settled, also while it waits for the loop. Where a loop ends, what it was not handed is given back;
 * what it was handed and has not settled is delivered again when its time is over.
 */
import { BrokerlessError } from "../../base/errors.ts";
import type { Connection } from "../connection.ts";
import { invalid, oneOf, wholeNumber } from "../options.ts";
import { pauseMs, sleep } from "../retry.ts";
import type { QueueAdmin } from "./admin.ts";
import { Job } from "./job.ts";
import type { QueueOptions, QueueStats, Settling } from "./types.ts";

const LEAST_MS = 15_000;
const MOST_MS = 60_000;

interface Held {
  readonly job: Job;
  readonly untilMs: number;
}

export class Queue implements AsyncIterable<Job> {
  readonly #connection: Connection;
  readonly #calls: QueueAdmin;
  readonly #options: QueueOptions;
  readonly #topics: readonly string[];
  readonly #prefetch: number;
  readonly #waitMs: number;
  readonly #extendForMs: number;
  readonly #retryTimeoutMs: number;
  readonly #held = new Map<string, Held>();
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(connection: Connection, calls: QueueAdmin, options: QueueOptions) {
    this.#connection = connection;
    this.#calls = calls;
    this.#options = options;
    this.#topics = typeof options.topics === "string" ? [options.topics] : [...options.topics];
    if (options.group === "") throw invalid("group", "must not be empty", options.group);
    if (this.#topics.length === 0) throw invalid("topics", "must name one at least", "");
    this.#prefetch = wholeNumber("prefetch", options.prefetch, 10, 1, 1_000);
    this.#waitMs = wholeNumber("waitMs", options.waitMs, 20_000, 0, 20_000);
    this.#extendForMs = wholeNumber("extendForMs", options.extendForMs, 3_600_000, 0, Number.MAX_SAFE_INTEGER);
    this.#retryTimeoutMs = wholeNumber("retryTimeoutMs", options.retryTimeoutMs, 120_000, 0, Number.MAX_SAFE_INTEGER);
    if (options.visibilityTimeoutMs !== undefined)
      wholeNumber("visibilityTimeoutMs", options.visibilityTimeoutMs, MOST_MS, LEAST_MS, MOST_MS);
    oneOf("order", options.order, "turn", ["turn", "priority"]);
  }

  /** Takes messages, at most so many; none where none came within `waitMs`. In one attempt. */
  async receive(maxMessages = this.#prefetch, waitMs = this.#waitMs): Promise<Job[]> {
    const { group, visibilityTimeoutMs: visibilityMs, order, signal } = this.#options;
    wholeNumber("maxMessages", maxMessages, 1, 1, 1_000);
    const asked = { topics: this.#topics, maxMessages, waitMs, visibilityTimeoutMs: visibilityMs, order, signal };
    const { messages, visibilityTimeoutMs } = await this.#calls.receive(group, asked);
    const jobs = messages.map((one) => new Job(one, (job, how) => this.#settle([job], how)));
    for (const job of jobs) this.#held.set(job.receipt, { job, untilMs: Date.now() + this.#extendForMs });
    this.#keep(visibilityTimeoutMs);
    return jobs;
  }

  /** Settles many together. Throws the first error; the others are settled all the same. */
  ack(jobs: readonly Job[]): Promise<void> {
    return this.#settle(jobs, "ack");
  }

  release(jobs: readonly Job[]): Promise<void> {
    return this.#settle(jobs, "release");
  }

  reject(jobs: readonly Job[]): Promise<void> {
    return this.#settle(jobs, "reject");
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Job, void> {
    const { signal } = this.#options;
    const isOver = (): boolean => signal?.aborted === true;
    let waiting: Job[] = [];
    try {
      while (!isOver()) {
        waiting = await this.#receiveOrRetry();
        for (let job = waiting.shift(); job !== undefined; job = waiting.shift()) {
          // It was not kept while it waited.
          if (job.signal.aborted) continue;
          yield job;
          if (isOver()) return;
        }
      }
    } finally {
      const unseen = waiting.filter((job) => !job.signal.aborted);
      if (unseen.length > 0) await this.release(unseen).catch(() => {});
    }
  }

  /**
   * Works on messages, so many at once, until the signal aborts: what `handle` returns from is acknowledged, what it throws at is released, and comes
   * again up to the group's delivery limit.
   */
  async work(
    handle: (job: Job) => void | Promise<void>,
    options: { readonly concurrency?: number | undefined } = {},
  ): Promise<void> {
    const concurrency = wholeNumber("concurrency", options.concurrency, 1, 1, 10_000);
    const jobs = this[Symbol.asyncIterator]();
    const workers = Array.from({ length: concurrency }, async () => {
      // An async generator hands out one at a time, to whoever asks next.
      for (let next = await jobs.next(); next.done !== true; next = await jobs.next()) await this.#one(next.value, handle);
    });
    await Promise.all(workers).finally(() => jobs.return());
  }

  async #one(job: Job, handle: (job: Job) => void | Promise<void>): Promise<void> {
    let how: Settling = "ack";
    try {
      await handle(job);
    } catch {
      how = "release";
    }
    try {
      // What the handler has settled itself is not held any more.
      if (this.#held.has(job.receipt)) await this.#settle([job], how);
    } catch (error) {
      // It comes again, to somebody.
      if (!(error instanceof BrokerlessError) || error.code !== "invalid_record_state") throw error;
    }
  }

  stats(): Promise<QueueStats> {
    return this.#calls.stats(this.#options.group);
  }

  async #receiveOrRetry(): Promise<Job[]> {
    const { signal } = this.#options;
    try {
      return await this.#again(() => this.receive(), signal);
    } catch (error) {
      if (signal?.aborted === true) return [];
      throw error;
    }
  }

  /** Tries what harms nobody twice until it is answered. */
  async #again<T>(step: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    const untilMs = Date.now() + this.#retryTimeoutMs;
    for (let attempt = 0; ; attempt++) {
      try {
        return await step();
      } catch (error) {
        const again = error instanceof BrokerlessError && (error.retriable || error.outcome === "unknown");
        if (!again || signal?.aborted === true || Date.now() >= untilMs) throw error;
        await sleep(pauseMs(attempt, error, this.#connection.retry, Math.random()), signal);
      }
    }
  }

  async #settle(jobs: readonly Job[], how: Settling): Promise<void> {
    if (jobs.length === 0) return;
    const { group, visibilityTimeoutMs } = this.#options;
    const receipts = jobs.map(({ receipt }) => receipt);
    const errors = await this.#again(() => this.#calls.settle(group, how, receipts, visibilityTimeoutMs));
    let failure: BrokerlessError | undefined;
    for (const [i, job] of jobs.entries()) {
      const error = errors[i];
      failure ??= error;
      if (error?.code === "invalid_record_state") job.lose(error);
      if (how !== "extend" || error?.code === "invalid_record_state") this.#held.delete(job.receipt);
    }
    if (this.#held.size === 0) this.#rest();
    if (failure !== undefined) throw failure;
  }

  /** Extends what is held, three times within its time. */
  #keep(visibilityTimeoutMs: number): void {
    if (this.#timer !== undefined || this.#held.size === 0 || this.#extendForMs === 0) return;
    this.#timer = setInterval(() => void this.#extendAll(), visibilityTimeoutMs / 3);
    // In Node it does not keep the process alive.
    (this.#timer as { unref?: () => void }).unref?.();
  }

  #rest(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  async #extendAll(): Promise<void> {
    const nowMs = Date.now();
    const jobs: Job[] = [];
    for (const [receipt, { job, untilMs }] of this.#held) {
      if (untilMs > nowMs) jobs.push(job);
      else this.#held.delete(receipt);
    }
    if (this.#held.size === 0) this.#rest();
    // What could not be kept is told by the job's signal; what was not answered is tried with the next turn.
    for (let at = 0; at < jobs.length; at += 1_000) await this.#settle(jobs.slice(at, at + 1_000), "extend").catch(() => {});
  }
}

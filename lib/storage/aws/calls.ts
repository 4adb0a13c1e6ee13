/**
 * Every request to AWS goes through here: counted, bounded in time, sent again where that does no harm, and refused
 * once the storage is closed or this machine's clock is wrong. The clients' own retries are off: they cannot know which
 * request must not be done twice.
 */
import { type Clock, type Ids, type Labels, type Metrics, StorageError } from "../../ports/index.ts";
import { type Failure, judge, type Target } from "./errors.ts";
import type { SendOptions } from "./http.ts";
import { pauseBeforeRetry, type Repeat } from "./retry.ts";
import type { ClockSkew } from "./skew.ts";

/** A call that writes answers within this time, whatever happens: the gateway before a Lambda waits for 29 s. */
export const WRITE_DEADLINE_MS = 25_000;
/** One request, where its size does not ask for more. */
export const REQUEST_TIMEOUT_MS = 5000;
/** A connection that moves less than this is as good as none. */
const SLOWEST_BYTES_PER_MS = 1000;

export interface CallParts {
  readonly clock: Clock;
  readonly ids: Ids;
  readonly metrics: Metrics;
  readonly skew: ClockSkew;
}

/** One kind of request. Made once, used for every request of the kind. */
export interface Operation extends Target {
  readonly repeat: Repeat;
  readonly labels: Labels;
}

export function operation(target: Target, repeat: Repeat): Operation {
  return { ...target, repeat, labels: { service: target.service, operation: target.operation } };
}

/** The time that a request which moves so many bytes may take. */
export function timeoutFor(sizeBytes: number): number {
  return REQUEST_TIMEOUT_MS + sizeBytes / SLOWEST_BYTES_PER_MS;
}

export class Calls {
  readonly #parts: CallParts;
  #probe: (() => Promise<unknown>) | undefined;
  #probing: Promise<unknown> | undefined;
  #underWay = 0;
  #closed = false;
  #whenIdle: (() => void) | undefined;

  constructor(parts: CallParts) {
    this.#parts = parts;
  }

  /** A cheap read, for the sake of the time in its reply. */
  setProbe(probe: () => Promise<unknown>): void {
    this.#probe = probe;
  }

  /** The latest end of a write that begins now, on the clock's `monotonicMs`. */
  writeDeadline(): number {
    return this.#parts.clock.monotonicMs() + WRITE_DEADLINE_MS;
  }

  /** One call of the port, of however many requests. Throws `unavailable` when the storage is closed. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#closed) throw new StorageError("unavailable", "the storage is closed");
    this.#underWay++;
    try {
      return await work();
    } finally {
      if (--this.#underWay === 0) this.#whenIdle?.();
    }
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  /** Waits for what is under way; whatever comes later is refused. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#underWay === 0) return;
    await new Promise<void>((resolve) => {
      const before = this.#whenIdle;
      this.#whenIdle = () => {
        before?.();
        resolve();
      };
    });
  }

  /**
   * Sends one request until it is answered, is refused for good, or may not be sent again. `attempt` answers what it
   * expects, failed conditions too, and throws what it does not. `untilMs` is on the clock's `monotonicMs`.
   */
  async send<T>(
    op: Operation,
    untilMs: number,
    attempt: (options: SendOptions) => Promise<T>,
    timeoutMs = REQUEST_TIMEOUT_MS,
  ): Promise<T> {
    const { clock, ids, metrics } = this.#parts;
    if (op.repeat !== "read") await this.#trustClock();
    let wasLost = false;
    for (let sent = 1; ; sent++) {
      const startedMs = clock.monotonicMs();
      const progress = { sent: false };
      try {
        metrics.count("aws_requests_total", 1, op.labels);
        const requestTimeout = Math.max(1, Math.min(timeoutMs, untilMs - startedMs));
        const answer = await attempt({ requestTimeout, progress });
        metrics.observe("aws_request_duration_ms", clock.monotonicMs() - startedMs, op.labels);
        return answer;
      } catch (thrown) {
        const failure = judge(thrown, op, progress.sent);
        wasLost ||= failure.again === "lost";
        metrics.count("aws_failures_total", 1, { ...op.labels, reason: failure.again === "no" ? "refused" : failure.again });
        const pauseMs = pauseBeforeRetry(failure.again, op.repeat, sent, ids.random());
        if (pauseMs === undefined || clock.monotonicMs() + pauseMs >= untilMs) throw finalError(failure, op.repeat, wasLost);
        await clock.sleep(pauseMs);
      }
    }
  }

  /** Has the time in a fresh reply looked at before the first write, and whenever the clock seems wrong. */
  async #trustClock(): Promise<void> {
    const { skew } = this.#parts;
    if (skew.isTrusted) return;
    this.#probing ??= this.#probe?.().finally(() => {
      this.#probing = undefined;
    });
    await this.#probing;
    skew.check();
  }
}

function finalError({ error }: Failure, repeat: Repeat, wasLost: boolean): StorageError {
  if (repeat === "read") {
    return error.kind === "unknown" ? new StorageError("unavailable", error.message, { cause: error.cause }) : error;
  }
  // An attempt before this one may still be applied.
  if (wasLost && error.kind !== "unknown") return new StorageError("unknown", error.message, { cause: error.cause });
  return error;
}

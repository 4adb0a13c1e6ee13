/** What the routes are given: the log, its surroundings, and what the whole surface shares. */
import type { Principal, Tokens } from "../auth/index.ts";
import { invariant } from "../base/assert.ts";
import type { ShareGroupsApi } from "../groups/share/types.ts";
import type { GroupsApi } from "../groups/types.ts";
import { type Codecs, defaultPartitioner, type Partitioner } from "../kafka/index.ts";
import type { LagApi } from "../lag/types.ts";
import type { JobReport, JobRun } from "../log/jobs/job.ts";
import type { LogApi } from "../log/types.ts";
import { type Clock, type Ids, type Metrics, NO_METRICS } from "../ports/index.ts";
import { Budget } from "./budget.ts";
import { DEFAULT_LIMITS, type Limits } from "./limits.ts";

/**
 * Answers the frames of a body, in order; the pieces of the reply. Throws what is wrong with the body, or with the first
 * request in it.
 */
export type KafkaFrames = (body: Uint8Array, call: KafkaCall, signal: AbortSignal) => Promise<readonly Uint8Array[]>;

export interface KafkaCall {
  /** Where the answers say that the broker is. */
  readonly advertised: { readonly host: string; readonly port: number };
  /** Who asks. Undefined: nobody has said it. */
  readonly principal: Principal | undefined;
  readonly limits: Limits;
}

/** The jobs that an operator may start by hand. */
export interface Upkeep {
  readonly jobs: readonly string[];
  /** Runs one for some seconds. Throws what the job throws. */
  readonly run: (job: string, how: Omit<JobRun, "untilMs">) => Promise<JobReport>;
}

export type AuthKind = "none" | "token";

export interface SurfaceParts {
  readonly log: LogApi;
  readonly clock: Clock;
  readonly ids: Ids;
  readonly codecs: Codecs;
  readonly metrics?: Metrics;
  readonly limits?: Partial<Limits>;
  /** Origins that browsers may call from; `*` is every one. Default: none but the server's own. */
  readonly cors?: readonly string[];
  /**
   * Does the process live on after it has answered? Where it does not (Lambda), `acks=0` commits before it answers.
   */
  readonly outlivesAnswer: boolean;
  /** Resolves when the storage answers; what `/health` asks. */
  readonly ready: () => Promise<void>;
  /** What `/metrics` shows, in Prometheus's text format. Without it there is no such route. */
  readonly metricsText?: () => string;
  /** Makes, lists and revokes tokens. Without it there are no such routes. */
  readonly tokens?: Tokens | undefined;
  /** Who may call: `token`: who has one, and as far as it goes; `none`: whoever gets here. Needs `tokens`. */
  readonly auth: AuthKind;
  /** Consumer groups. Without them there are no such routes. */
  readonly groups?: (() => Promise<GroupsApi>) | undefined;
  /** Share groups: queues. Without them there are no such routes. */
  readonly shares?: (() => Promise<ShareGroupsApi>) | undefined;
  /** How far groups are behind. Without it there are no such routes. */
  readonly lag?: (() => Promise<LagApi>) | undefined;
  /** Kafka's protocol, for `POST /kafka`. Without it there is no such route. */
  readonly kafka?: KafkaFrames;
  /** Without it there is no route to start jobs by: they run elsewhere. */
  readonly upkeep?: Upkeep;
  /** Aborts when the process is about to stop: long polls and streams end, new requests are refused. */
  readonly stopping?: AbortSignal;
  /** Called with what was a bug. */
  readonly onInternalError?: (error: unknown, request: string) => void;
}

/** Shared by all requests of a process. */
export interface Surface
  extends Omit<Required<SurfaceParts>, "limits" | "cors" | "metricsText" | "kafka" | "upkeep" | "tokens" | "auth"> {
  readonly limits: Limits;
  readonly cors: ReadonlySet<string>;
  readonly metricsText: (() => string) | undefined;
  readonly kafka: KafkaFrames | undefined;
  /** Asked about every caller; undefined where everybody may call. */
  readonly guard: Tokens | undefined;
  readonly tokens: Tokens | undefined;
  readonly budget: Budget;
  /** Chooses where records go that name no partition: by key, and sticky without one, as Kafka's own producer. */
  readonly partitioner: Partitioner;
}

export function createSurface(parts: SurfaceParts): Surface {
  invariant(parts.auth === "none" || parts.tokens !== undefined, "tokens are asked for, and there is nothing that knows them");
  const limits: Limits = { ...DEFAULT_LIMITS, ...parts.limits };
  return {
    ...parts,
    metrics: parts.metrics ?? NO_METRICS,
    metricsText: parts.metricsText,
    kafka: parts.kafka,
    groups: parts.groups,
    shares: parts.shares,
    lag: parts.lag,
    tokens: parts.tokens,
    guard: parts.auth === "token" ? parts.tokens : undefined,
    stopping: parts.stopping ?? new AbortController().signal,
    onInternalError: parts.onInternalError ?? (() => {}),
    limits,
    cors: new Set(parts.cors ?? []),
    budget: new Budget(limits.inFlightBytes),
    partitioner: defaultPartitioner({ random: () => parts.ids.random() }),
  };
}

/** What stands between the transports of the Kafka protocol (TCP, `POST /kafka`, tunnel) and what answers it. */
import type { Principal, Tokens } from "../auth/index.ts";
import type { ShareGroupsApi } from "../groups/share/types.ts";
import type { GroupsApi } from "../groups/types.ts";
import type { LogApi, TopicSpec } from "../log/types.ts";
import type { Clock, Ids, Metrics } from "../ports/index.ts";
import type { TransactionsApi } from "../transactions/types.ts";
import type { SaslConversation } from "./sasl/types.ts";

/** One client, for as long as it stays: a TCP connection, or one `POST /kafka`. Made by {@link openConnection}. */
export interface ConnectionState {
  /** Where clients are told that the one broker is: where they can reach this listener. */
  readonly advertised: { readonly host: string; readonly port: number };
  /** The client's address, for people. */
  readonly peer: string;
  /** Of this way here, whatever a client asks for: the records of one answer, and how long a request may wait. */
  readonly limits: { readonly responseBytes: number; readonly waitMs: number };
  /** Can nobody else read it? TLS, or loopback. */
  readonly isPrivate: boolean;
  /** Who asks. Undefined: SASL has not said it yet. */
  principal: Principal | undefined;
  /** Of SASL, while it runs. */
  sasl: SaslConversation | undefined;
  /** While it runs: are frames its messages themselves, and no requests? */
  isSaslBare: boolean;
  /** What the client calls its software (KIP-511); known after ApiVersions. */
  software: { readonly name: string; readonly version: string } | undefined;
  /** Resolves when what earlier requests append is under way. Of the Produce handler. */
  appendsBegun: Promise<void>;
}

export function openConnection(
  about: Pick<ConnectionState, "advertised" | "peer" | "limits" | "isPrivate" | "principal">,
): ConnectionState {
  return { ...about, sasl: undefined, isSaslBare: false, software: undefined, appendsBegun: Promise.resolve() };
}

export interface KafkaApi {
  /**
   * Answers one request. `frame` is the request without the 4 bytes of its size; it is handed over: nobody may change or
   * reuse its bytes after the call. The answer is pieces to be sent one after the other, behind their size; they may be
   * views of what the storage keeps, so they must not be changed. Undefined: there is none (Produce with acks=0).
   *
   * Frames of one connection may be given before earlier ones are answered: records are appended in the order of the
   * calls. Their answers must be sent in that order.
   *
   * Rejects with a `BrokerlessError` where no answer is possible and the connection is to be closed, as Kafka does:
   * `invalid_request` (the frame is not what it says), `unsupported_version` (an API or version that ApiVersions did not
   * offer), `unauthenticated` (nobody has said who asks, or the token is over), and what became of a Produce with acks=0 that
   * failed.
   *
   * `signal` ends waiting (long polls answer at once with what there is); what was begun is finished.
   */
  handle(frame: Uint8Array, connection: ConnectionState, signal?: AbortSignal): Promise<readonly Uint8Array[] | undefined>;
}

export interface KafkaSettings {
  /** `auto.create.topics.enable`: a topic that Metadata asks for is created. */
  readonly autoCreateTopics: boolean;
  /** `num.partitions`: of topics that are created without a number. */
  readonly defaultPartitions: number;
  /** Internal topics that are made like others when they are asked for, by name. */
  readonly internalTopics?: ReadonlyMap<string, TopicSpec>;
}

/** Where clients are asked who they are. */
export interface KafkaAuth {
  readonly tokens: Tokens;
  readonly ids: Ids;
}

export interface KafkaParts {
  readonly log: LogApi;
  /** Without it nobody is asked by this protocol itself: the transport says who asks. */
  readonly auth?: KafkaAuth | undefined;
  /** Without it the APIs of groups are not offered. */
  readonly groups?: GroupsApi | undefined;
  /** Without it the APIs of transactions are not offered. Asked for with the first call. */
  readonly transactions?: (() => Promise<TransactionsApi>) | undefined;
  /** Without it the APIs of share groups are not offered. Asked for with the first call. */
  readonly shares?: (() => Promise<ShareGroupsApi>) | undefined;
  readonly clock: Clock;
  readonly settings: KafkaSettings;
  readonly metrics?: Metrics;
  /** Called with what was a bug. */
  readonly onInternalError?: (error: unknown, request: string) => void;
}

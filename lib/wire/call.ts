/** What the handler of one API is, and what it is given. */
import type { BrokerlessError } from "../base/errors.ts";
import type { ShareGroupsApi } from "../groups/share/types.ts";
import type { GroupsApi } from "../groups/types.ts";
import type { Api, Decoded, Encodable, Shape, Versions } from "../kafka/protocol/schema.ts";
import type { LogApi } from "../log/types.ts";
import type { Clock, Metrics } from "../ports/index.ts";
import type { TransactionsApi } from "../transactions/types.ts";
import type { ScramParts } from "./sasl/scram.ts";
import type { TopicIds } from "./topic-ids.ts";
import type { ConnectionState, KafkaSettings } from "./types.ts";

/** Shared by all requests of a process. */
export interface Surface {
  readonly log: LogApi;
  /** Undefined over a log alone: then the APIs of groups are not offered. */
  readonly groups: GroupsApi | undefined;
  /** Undefined over a log alone: then the APIs of transactions are not offered. */
  readonly transactions: (() => Promise<TransactionsApi>) | undefined;
  /** Undefined where there are no share groups: then their APIs are not offered. */
  readonly shares: (() => Promise<ShareGroupsApi>) | undefined;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly settings: KafkaSettings;
  readonly auth: ScramParts | undefined;
  readonly topicIds: TopicIds;
  /** The APIs that are answered, as ApiVersions tells them. */
  readonly handlers: readonly Handler[];
  /** An error of any kind as ours; one that is not is a bug, and is reported. */
  readonly judge: (error: unknown, request: string) => BrokerlessError;
}

/** One request. */
export interface Call {
  readonly surface: Surface;
  readonly version: number;
  readonly clientId: string | null;
  readonly connection: ConnectionState;
  readonly signal: AbortSignal | undefined;
}

export interface Handler {
  readonly api: Api<Shape, Shape>;
  /** The versions that are answered; not more than are declared. */
  readonly versions: Versions;
  readonly answer: (request: never, call: Call) => Promise<unknown>;
}

/** Undefined is no answer at all. */
export function handlerOf<Req extends Shape, Res extends Shape>(
  api: Api<Req, Res>,
  answer: (request: Decoded<Req>, call: Call) => Promise<Encodable<Res> | undefined>,
  versions: Versions = api.versions,
): Handler {
  return { api, versions, answer };
}

/**
 * All operations there are. What most calls are, records written and read, is there from the start. The rest is in families,
 * each a file, read with the first call under their paths: a cold start of a Lambda function pays for what it answers, and
 * not for all that could be asked of it. A family that is added goes there, unless it is what most calls are.
 */
import type { Limits } from "../limits.ts";
import { describeApi } from "../openapi.ts";
import type { Operation } from "../operation.ts";
import type { Upkeep } from "../surface.ts";
import { consumeOperations } from "./consume.ts";
import { produceOperations } from "./produce.ts";
import { serviceOperations } from "./service.ts";

export interface OperationsOptions {
  readonly limits: Limits;
  readonly version: string;
  readonly withMetrics: boolean;
  readonly withKafka: boolean;
  readonly withGroups: boolean;
  readonly withShares: boolean;
  readonly withLag: boolean;
  readonly withTokens: boolean;
  readonly upkeep?: Upkeep | undefined;
}

/** Operations that are loaded together. */
export interface Family {
  /** All their paths begin so. Others' may, too. */
  readonly under: string;
  readonly load: () => Promise<readonly Operation[]>;
}

export interface Operations {
  readonly first: readonly Operation[];
  readonly later: readonly Family[];
}

export function operationsOf(options: OperationsOptions): Operations {
  const { limits, version, withMetrics, withKafka, withGroups, withShares, withLag, withTokens, upkeep } = options;
  const later: Family[] = [
    { under: "/topics/", load: async () => (await import("./events.ts")).eventOperations() },
    { under: "/topics", load: async () => (await import("./rest-v2.ts")).topicV2Operations(limits) },
    { under: "/brokers", load: async () => (await import("./rest-v2.ts")).brokerV2Operations() },
    { under: "/v1/topics/", load: async () => (await import("./partitions.ts")).partitionOperations() },
    { under: "/v1/topics/", load: async () => (await import("./upkeep.ts")).verifyOperations() },
    { under: "/v3/clusters", load: async () => (await import("./cluster.ts")).clusterOperations() },
    { under: "/v3/clusters/", load: async () => (await import("./topics.ts")).topicOperations() },
    { under: "/v3/clusters/", load: async () => (await import("./configs.ts")).configOperations() },
  ];
  if (withGroups)
    later.push(
      { under: "/v1/groups", load: async () => (await import("./groups.ts")).groupOperations(limits) },
      { under: "/consumers/", load: async () => (await import("./rest-consumers.ts")).restConsumerOperations(limits) },
      { under: "/v1/groups/", load: async () => (await import("./group-configs.ts")).groupConfigOperations() },
      { under: "/v3/clusters/", load: async () => (await import("./consumer-groups.ts")).consumerGroupOperations() },
    );
  if (withShares) later.push({ under: "/v1/queues", load: async () => (await import("./queues.ts")).queueOperations(limits) });
  if (withLag)
    later.push(
      { under: "/v1/lag", load: async () => (await import("./lag.ts")).lagOperations() },
      { under: "/v1/groups/", load: async () => (await import("./lag.ts")).groupLagOperations() },
      { under: "/v3/clusters/", load: async () => (await import("./consumer-lags.ts")).consumerLagOperations() },
      { under: "/v3/kafka", load: async () => (await import("./burrow.ts")).burrowOperations() },
      { under: "/burrow/", load: async () => (await import("./burrow.ts")).burrowAdminOperations() },
    );
  if (withKafka) later.push({ under: "/kafka", load: async () => (await import("./kafka.ts")).kafkaOperations() });
  if (upkeep !== undefined)
    later.push({ under: "/v1/jobs/", load: async () => (await import("./upkeep.ts")).jobOperations(upkeep) });
  if (withTokens) later.push({ under: "/v1/tokens", load: async () => (await import("./tokens.ts")).tokenOperations() });
  const operations: Operations = {
    first: [
      ...produceOperations(limits),
      ...consumeOperations(limits),
      ...serviceOperations(() => describeApi(() => allOperations(operations), version), withMetrics),
    ],
    later,
  };
  return operations;
}

/** With those of all families. */
export async function allOperations({ first, later }: Operations): Promise<Operation[]> {
  return [...first, ...(await Promise.all(later.map(({ load }) => load()))).flat()];
}

/** All operations there are. */
import type { Limits } from "../limits.ts";
import { describeApi } from "../openapi.ts";
import type { Operation } from "../operation.ts";
import type { Upkeep } from "../surface.ts";
import { clusterOperations } from "./cluster.ts";
import { configOperations } from "./configs.ts";
import { consumeOperations } from "./consume.ts";
import { groupOperations } from "./groups.ts";
import { kafkaOperations } from "./kafka.ts";
import { produceOperations } from "./produce.ts";
import { serviceOperations } from "./service.ts";
import { tokenOperations } from "./tokens.ts";
import { topicOperations } from "./topics.ts";
import { upkeepOperations } from "./upkeep.ts";

export interface OperationsOptions {
  readonly limits: Limits;
  readonly version: string;
  readonly withMetrics: boolean;
  readonly withKafka: boolean;
  readonly withGroups: boolean;
  readonly withTokens: boolean;
  readonly upkeep?: Upkeep | undefined;
}

export function allOperations({
  limits,
  version,
  withMetrics,
  withKafka,
  withGroups,
  withTokens,
  upkeep,
}: OperationsOptions): Operation[] {
  const operations: Operation[] = [
    ...produceOperations(limits),
    ...consumeOperations(limits),
    ...clusterOperations(),
    ...topicOperations(),
    ...configOperations(),
    ...(withGroups ? groupOperations(limits) : []),
    ...(withKafka ? kafkaOperations() : []),
    ...upkeepOperations(upkeep),
    ...(withTokens ? tokenOperations() : []),
    ...serviceOperations(() => describeApi(operations, version), withMetrics),
  ];
  return operations;
}

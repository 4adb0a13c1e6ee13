/** What has configs: topics, groups, and the one broker, whose are set where the server is started. */
import { describeRight, type Right } from "../auth/index.ts";
import { BrokerlessError } from "../base/errors.ts";
import type { ConfigChanges } from "../log/config-rules.ts";
import type { ConfigEntry } from "../log/types.ts";
import { may, mayGroup, topicForbidden } from "./access.ts";
import { brokerConfigs } from "./broker-configs.ts";
import type { Call } from "./call.ts";
import { CONFIG_SOURCE, RESOURCE } from "./config-words.ts";
import { type ErrorFields, kafkaError } from "./errors.ts";
import { groupsOf } from "./groups.ts";

export interface ConfigResource {
  /** Where a config that was set comes from. */
  readonly source: number;
  /** The refusal, unless who asks may do this to it; by the name alone. */
  forbidden(operation: Right["operation"]): ErrorFields | undefined;
  /** What holds. */
  entries(): Promise<ConfigEntry[]>;
  /** Undefined: they cannot be changed. */
  readonly alter: ((changes: ConfigChanges, validateOnly: boolean) => Promise<unknown>) | undefined;
}

/** Throws `invalid_request` for a type that has no configs here. */
export function configResource(call: Call, resourceType: number, name: string): ConfigResource {
  const { log } = call.surface;
  switch (resourceType) {
    case RESOURCE.topic:
      return {
        source: CONFIG_SOURCE.topic,
        forbidden: (operation) => (may(call, operation, name) ? undefined : topicForbidden(operation, name)),
        entries: async () => log.topicConfigs(await log.topic(name)),
        alter: (changes, validateOnly) => log.alterConfigs(name, changes, { validateOnly }),
      };
    case RESOURCE.group:
      return {
        source: CONFIG_SOURCE.group,
        forbidden: (operation) => (mayGroup(call, operation, name) ? undefined : groupForbidden(operation, name)),
        entries: () => groupsOf(call).configs(name),
        alter: (changes, validateOnly) => groupsOf(call).alterConfigs(name, changes, { validateOnly }),
      };
    case RESOURCE.broker:
      return {
        source: CONFIG_SOURCE.broker,
        forbidden: () => undefined,
        entries: async () => brokerConfigs(name, call),
        alter: undefined,
      };
    default:
      throw new BrokerlessError(
        "invalid_request",
        `resource type is ${resourceType}; topics (${RESOURCE.topic}), brokers (${RESOURCE.broker}) and groups (${RESOURCE.group}) have configs here`,
      );
  }
}

function groupForbidden(operation: Right["operation"], name: string): ErrorFields {
  return kafkaError("GROUP_AUTHORIZATION_FAILED", `this token lacks ${describeRight({ resource: "group", operation, name })}`);
}

/**
 * Group configs, by Kafka's names, defaults and meaning (https://kafka.apache.org/documentation/#groupconfigs; KIP-848,
 * KIP-932). A config is one entry of the table. Where Kafka's brokers bound a value by configs of their own, the bounds here
 * are what those can be set to.
 */
import { BrokerlessError } from "../base/errors.ts";
import { type ConfigChanges, ConfigRules, type Configs, whole } from "../log/config-rules.ts";
import type { ConfigEntry } from "../log/types.ts";

const SESSION = "consumer.session.timeout.ms";
const HEARTBEAT = "consumer.heartbeat.interval.ms";

const RULES = new ConfigRules("group", {
  [SESSION]: {
    type: "int",
    defaultValue: "45000",
    documentation: "A member of the server-driven protocol that is not heard of for so long is out, in milliseconds.",
    refuses: whole(6_000, 1_800_000),
  },
  [HEARTBEAT]: {
    type: "int",
    defaultValue: "5000",
    documentation: "How often members of the server-driven protocol are told to say that they are there, in milliseconds.",
    refuses: whole(1_000, 60_000),
  },
});

/** Where the second is set, it stays below the first. */
const BELOW: readonly (readonly [string, string])[] = [[SESSION, HEARTBEAT]];

/** What holds for the server-driven protocol. */
export interface ConsumerSettings {
  readonly sessionMs: number;
  readonly heartbeatMs: number;
}

export function consumerSettings(configs: Configs): ConsumerSettings {
  return { sessionMs: RULES.numberOf(configs, SESSION), heartbeatMs: RULES.numberOf(configs, HEARTBEAT) };
}

/** The configs after a change. Throws `invalid_config`. */
export function changedGroupConfigs(configs: Configs, changes: ConfigChanges): Record<string, string> {
  const after = RULES.changed(configs, changes);
  for (const [above, below] of BELOW) {
    const [most, least] = [RULES.numberOf(after, above), RULES.numberOf(after, below)];
    if (least < most) continue;
    throw new BrokerlessError("invalid_config", `group config ${below} is ${least}; it takes less than ${above}, ${most}`, {
      field: `configs.${below}`,
    });
  }
  return after;
}

export function describeGroupConfigs(configs: Configs): ConfigEntry[] {
  return RULES.describe(configs);
}

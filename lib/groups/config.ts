/**
 * Group configs, by Kafka's names, defaults and meaning (https://kafka.apache.org/documentation/#groupconfigs; KIP-848,
 * KIP-932). A config is one entry of the table. Where Kafka's brokers bound a value by configs of their own, the bounds here
 * are what those can be set to.
 */
import { BrokerlessError } from "../base/errors.ts";
import { type ConfigChanges, ConfigRules, type Configs, oneOf, whole } from "../log/config-rules.ts";
import type { ConfigEntry, Isolation } from "../log/types.ts";

const SESSION = "consumer.session.timeout.ms";
const HEARTBEAT = "consumer.heartbeat.interval.ms";
const SHARE_SESSION = "share.session.timeout.ms";
const SHARE_HEARTBEAT = "share.heartbeat.interval.ms";
const LOCK = "share.record.lock.duration.ms";
const RESET = "share.auto.offset.reset";
const ISOLATION = "share.isolation.level";
const DELIVERIES = "share.delivery.count.limit";
const LOCKS = "share.partition.max.record.locks";
const DEAD_LETTERS = "errors.deadletterqueue.topic.name";

const TOPIC_NAME = /^(?!\.{1,2}$)[a-zA-Z0-9._-]{1,249}$/;
/** ISO 8601 as Java's `Duration` takes it, not below zero. */
const DURATION = /^by_duration:P(?:(\d{1,6})D)?(?:T(?:(\d{1,8})H)?(?:(\d{1,10})M)?(?:(\d{1,12})(?:\.(\d{1,9}))?S)?)?$/i;

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
  [DEAD_LETTERS]: {
    type: "string",
    defaultValue: "",
    documentation:
      "Where records of a share group go that were rejected or delivered too often; made when it is not there. Empty: nowhere.",
    refuses: (value) => (value === "" || TOPIC_NAME.test(value) ? undefined : "a topic name, or nothing"),
  },
  [RESET]: {
    type: "string",
    defaultValue: "latest",
    documentation:
      "Where a share group begins in a partition: latest, earliest, or by_duration:<ISO 8601> before now. A queue over HTTP begins at earliest unless this is set.",
    refuses: (value) =>
      value === "latest" || value === "earliest" || durationOf(value) !== undefined
        ? undefined
        : "latest, earliest or by_duration:PnDTnHnMn.nS",
  },
  [DELIVERIES]: {
    type: "int",
    defaultValue: "5",
    documentation: "How often a record is given to members of a share group at most.",
    refuses: whole(2, 10),
  },
  [SHARE_HEARTBEAT]: {
    type: "int",
    defaultValue: "5000",
    documentation: "How often members of a share group are told to say that they are there, in milliseconds.",
    refuses: whole(5_000, 15_000),
  },
  [ISOLATION]: {
    type: "string",
    defaultValue: "read_uncommitted",
    documentation: "Whether a share group is given records of open and aborted transactions: read_uncommitted or read_committed.",
    refuses: oneOf("read_uncommitted", "read_committed"),
  },
  [LOCKS]: {
    type: "int",
    defaultValue: "2000",
    documentation: "How far the window of a share partition spans; what does not move with it is parked.",
    refuses: whole(100, 10_000),
  },
  [LOCK]: {
    type: "int",
    defaultValue: "30000",
    documentation: "So long a record of a share group is a member's, in milliseconds.",
    refuses: whole(15_000, 60_000),
  },
  [SHARE_SESSION]: {
    type: "int",
    defaultValue: "45000",
    documentation: "A member of a share group that is not heard of for so long is out, in milliseconds.",
    refuses: whole(45_000, 60_000),
  },
});

/** Where the second is set, it stays below the first. */
const BELOW: readonly (readonly [string, string])[] = [
  [SESSION, HEARTBEAT],
  [SHARE_SESSION, SHARE_HEARTBEAT],
];

/** What holds for the server-driven protocol. */
export interface ConsumerSettings {
  readonly sessionMs: number;
  readonly heartbeatMs: number;
}

export function consumerSettings(configs: Configs): ConsumerSettings {
  return { sessionMs: RULES.numberOf(configs, SESSION), heartbeatMs: RULES.numberOf(configs, HEARTBEAT) };
}

/** What holds for a share group. */
export interface ShareSettings {
  readonly sessionMs: number;
  readonly heartbeatMs: number;
  readonly lockMs: number;
  readonly deliveryLimit: number;
  readonly windowMost: number;
  readonly isolation: Isolation;
  /** Undefined: not set. A number: so many milliseconds before now. */
  readonly reset: "latest" | "earliest" | number | undefined;
  /** Undefined: there is none. */
  readonly deadLetterTopic: string | undefined;
}

export function shareSettings(configs: Configs): ShareSettings {
  const reset = configs[RESET];
  return {
    sessionMs: RULES.numberOf(configs, SHARE_SESSION),
    heartbeatMs: RULES.numberOf(configs, SHARE_HEARTBEAT),
    lockMs: RULES.numberOf(configs, LOCK),
    deliveryLimit: RULES.numberOf(configs, DELIVERIES),
    windowMost: RULES.numberOf(configs, LOCKS),
    isolation: RULES.valueOf(configs, ISOLATION) as Isolation,
    reset: reset === "latest" || reset === "earliest" || reset === undefined ? reset : durationOf(reset),
    deadLetterTopic: RULES.valueOf(configs, DEAD_LETTERS) || undefined,
  };
}

/** `by_duration:...` in milliseconds; undefined where it is none. */
function durationOf(text: string): number | undefined {
  const found = DURATION.exec(text);
  if (found === null || found.slice(1).every((part) => part === undefined) || /T$/i.test(text)) return undefined;
  const [days = "0", hours = "0", minutes = "0", seconds = "0", fraction = "0"] = found.slice(1);
  const wholeMs = ((Number(days) * 24 + Number(hours)) * 60 + Number(minutes)) * 60_000 + Number(seconds) * 1000;
  return wholeMs + Math.floor(Number(`0.${fraction}`) * 1000);
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

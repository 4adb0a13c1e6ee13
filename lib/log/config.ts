/** Topic configs, by Kafka's names, defaults and meaning (https://kafka.apache.org/documentation/#topicconfigs). */
import { type ConfigChanges, ConfigRules, type Configs, oneOf, whole } from "./config-rules.ts";
import type { ConfigEntry } from "./types.ts";

const INT_MAX = 2 ** 31 - 1;

const RULES = new ConfigRules("topic", {
  "cleanup.policy": {
    type: "list",
    defaultValue: "delete",
    documentation:
      "What happens to old records: delete (by retention.ms and retention.bytes), compact (the latest of each key stays), or both.",
    refuses: (value) => {
      const parts = value.split(",").map((part) => part.trim());
      const fits = parts.every((part) => part === "delete" || part === "compact") && new Set(parts).size === parts.length;
      return fits ? undefined : "delete, compact, or delete,compact";
    },
  },
  "compression.type": {
    type: "string",
    defaultValue: "producer",
    documentation: "The codec in which batches are kept that the server makes; producer: as the producer sent them.",
    refuses: oneOf("producer", "uncompressed", "gzip", "snappy", "lz4", "zstd"),
  },
  "delete.retention.ms": {
    type: "long",
    defaultValue: "86400000",
    documentation: "How long a tombstone of a compacted topic stays, in milliseconds.",
    refuses: whole(0, Number.MAX_SAFE_INTEGER),
  },
  "max.message.bytes": {
    type: "int",
    defaultValue: "1048588",
    documentation: "The largest record batch that is taken, in bytes, as it is sent (compressed).",
    refuses: whole(0, 2 ** 27),
  },
  "message.timestamp.type": {
    type: "string",
    defaultValue: "CreateTime",
    documentation: "Whether records keep the producer's time (CreateTime) or get the time of the append (LogAppendTime).",
    refuses: oneOf("CreateTime", "LogAppendTime"),
  },
  "min.cleanable.dirty.ratio": {
    type: "double",
    defaultValue: "0.5",
    documentation: "Compaction starts when more than this share of the log is not compacted.",
    refuses: (value) => {
      const number = Number(value);
      return /^\d*\.?\d+$/.test(value) && number >= 0 && number <= 1 ? undefined : "a number from 0 to 1";
    },
  },
  "min.compaction.lag.ms": {
    type: "long",
    defaultValue: "0",
    documentation: "A record younger than this is not compacted, in milliseconds.",
    refuses: whole(0, Number.MAX_SAFE_INTEGER),
  },
  "max.compaction.lag.ms": {
    type: "long",
    defaultValue: "9223372036854775807",
    documentation: "A record older than this is compacted whatever the dirty ratio, in milliseconds.",
    refuses: (value) => (value === "9223372036854775807" ? undefined : whole(1, Number.MAX_SAFE_INTEGER)(value)),
  },
  "min.insync.replicas": {
    type: "int",
    defaultValue: "1",
    documentation: "Accepted for the sake of tools; the storage keeps what it keeps (docs/durability.md).",
    refuses: whole(1, 3),
  },
  "retention.bytes": {
    type: "long",
    defaultValue: "-1",
    documentation: "A partition larger than this loses its oldest segments; -1: no limit.",
    refuses: whole(-1, Number.MAX_SAFE_INTEGER),
  },
  "retention.ms": {
    type: "long",
    defaultValue: "604800000",
    documentation: "Segments whose youngest record is older than this are deleted, in milliseconds; -1: never.",
    refuses: whole(-1, Number.MAX_SAFE_INTEGER),
  },
  "segment.bytes": {
    type: "int",
    defaultValue: "1073741824",
    documentation: "The size up to which segments grow.",
    refuses: whole(1_048_576, INT_MAX),
  },
  "segment.ms": {
    type: "long",
    defaultValue: "604800000",
    documentation: "After this time a segment is closed though it is not full, in milliseconds.",
    refuses: whole(1, Number.MAX_SAFE_INTEGER),
  },
});

/** Throws `invalid_config` for the first name that is unknown or value that cannot be. */
export function checkConfigs(configs: Configs): void {
  RULES.check(configs);
}

/** The configs after a change: text sets, null goes back to the default. Throws `invalid_config`. */
export function changedConfigs(configs: Configs, changes: ConfigChanges): Record<string, string> {
  return RULES.changed(configs, changes);
}

/** What holds for a topic: the value that was set, or the default. */
export function configOf(configs: Configs, name: string): string {
  return RULES.valueOf(configs, name);
}

export function configNumber(configs: Configs, name: string): number {
  return RULES.numberOf(configs, name);
}

export function isCompacted(configs: Configs): boolean {
  return configOf(configs, "cleanup.policy").includes("compact");
}

export function describeConfigs(configs: Configs): ConfigEntry[] {
  return RULES.describe(configs);
}

/** What of a topic's configs concerns a producer: the server is one, where records come as JSON. */
import type { CompressionName } from "../../kafka/index.ts";
import type { LogApi, Topic } from "../../log/types.ts";

export interface ProduceSettings {
  readonly maxMessageBytes: number;
  readonly compacted: boolean;
  readonly compression: CompressionName;
}

const known = new WeakMap<Topic, ProduceSettings>();

export function produceSettings(log: LogApi, topic: Topic): ProduceSettings {
  const cached = known.get(topic);
  if (cached !== undefined) return cached;
  const configs = new Map(log.topicConfigs(topic).map(({ name, value }) => [name, value]));
  const compression = configs.get("compression.type") ?? "producer";
  const settings: ProduceSettings = {
    maxMessageBytes: Number(configs.get("max.message.bytes")),
    compacted: (configs.get("cleanup.policy") ?? "").includes("compact"),
    compression: compression === "producer" || compression === "uncompressed" ? "none" : (compression as CompressionName),
  };
  known.set(topic, settings);
  return settings;
}

/** Kafka's protocol on a function: loaded with the first `POST /kafka`. */
import type { KafkaFrames } from "../lib/http/surface.ts";
import { createKafkaApi, type KafkaParts } from "../lib/wire/index.ts";
import { kafkaBody } from "../lib/wire/service.ts";

export function openKafka(parts: Omit<KafkaParts, "settings">): KafkaFrames {
  return kafkaBody(createKafkaApi({ ...parts, settings: { autoCreateTopics: true, defaultPartitions: 1 } }));
}

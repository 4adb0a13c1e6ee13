/** Kafka's protocol on a function: loaded with the first `POST /kafka`. */
import { createGroups } from "../lib/groups/groups.ts";
import type { GroupParts } from "../lib/groups/parts.ts";
import type { KafkaFrames } from "../lib/http/surface.ts";
import { createKafkaApi, type KafkaParts } from "../lib/wire/index.ts";
import { kafkaBody } from "../lib/wire/service.ts";

export function openKafka(parts: Omit<KafkaParts, "settings" | "groups"> & GroupParts): KafkaFrames {
  const groups = createGroups(parts);
  return kafkaBody(createKafkaApi({ ...parts, groups, settings: { autoCreateTopics: true, defaultPartitions: 1 } }));
}

/** Kafka's protocol on a function: loaded with the first `POST /kafka`. */
import { createGroups } from "../lib/groups/groups.ts";
import type { GroupParts } from "../lib/groups/parts.ts";
import type { KafkaFrames } from "../lib/http/surface.ts";
import { createTransactions } from "../lib/transactions/transactions.ts";
import { createKafkaApi, type KafkaParts } from "../lib/wire/index.ts";
import { kafkaBody } from "../lib/wire/service.ts";

export function openKafka(parts: Omit<KafkaParts, "settings" | "groups" | "transactions"> & GroupParts): KafkaFrames {
  const groups = createGroups(parts);
  const transactions = createTransactions({ ...parts, groups });
  const settings = { autoCreateTopics: true, defaultPartitions: 1 };
  return kafkaBody(createKafkaApi({ ...parts, groups, transactions: async () => transactions, settings }));
}

/** Confluent's resource shapes: `kind`, `metadata`, related links (Confluent REST API v3). */
import * as z from "zod";
import { isInternal } from "../../log/internal-topics.ts";
import type { Topic } from "../../log/types.ts";

const metadata = z.object({ self: z.string(), resource_name: z.string() });
const listMetadata = z.object({ self: z.string(), next: z.null() });
const related = z.object({ related: z.string() });

function resource<Shape extends z.ZodRawShape>(kind: string, shape: Shape) {
  return z.object({ kind: z.literal(kind), metadata, ...shape });
}

export function listOf<Item extends z.ZodType>(kind: string, item: Item) {
  return z.object({ kind: z.literal(`${kind}List`), metadata: listMetadata, data: z.array(item) });
}

export const clusterSchema = resource("KafkaCluster", {
  cluster_id: z.string(),
  acls: related,
  brokers: related,
  broker_configs: related,
  consumer_groups: related,
  topics: related,
  partition_reassignments: related,
});

export const topicSchema = resource("KafkaTopic", {
  cluster_id: z.string(),
  topic_name: z.string(),
  is_internal: z.boolean(),
  replication_factor: z.int(),
  partitions_count: z.int(),
  partitions: related,
  configs: related,
  partition_reassignments: related,
});

export const configSchema = resource("KafkaTopicConfig", {
  cluster_id: z.string(),
  topic_name: z.string(),
  name: z.string(),
  value: z.string(),
  is_default: z.boolean(),
  is_read_only: z.boolean(),
  is_sensitive: z.boolean(),
  source: z.enum(["DEFAULT_CONFIG", "DYNAMIC_TOPIC_CONFIG"]),
  synonyms: z.array(z.object({ name: z.string(), value: z.string(), source: z.string() })),
});

export const partitionResourceSchema = resource("KafkaPartition", {
  cluster_id: z.string(),
  topic_name: z.string(),
  partition_id: z.int(),
  leader: related,
  replicas: related,
  reassignment: related,
  log_start_offset: z.int().describe("ours: the first offset that can be read"),
  log_end_offset: z.int().describe("ours: the offset that the next record gets"),
});

/** The links of one cluster, as the client called us. */
export class Links {
  readonly cluster: string;
  readonly #origin: string;
  readonly #clusterId: string;

  constructor(origin: string, clusterId: string) {
    this.#origin = origin;
    this.#clusterId = clusterId;
    this.cluster = `${origin}/v3/clusters/${clusterId}`;
  }

  clusterResource(): z.infer<typeof clusterSchema> {
    const at = (path: string) => ({ related: `${this.cluster}/${path}` });
    return {
      kind: "KafkaCluster",
      metadata: this.#metadata(this.cluster, ""),
      cluster_id: this.#clusterId,
      acls: at("acls"),
      brokers: at("brokers"),
      broker_configs: at("broker-configs"),
      consumer_groups: at("consumer-groups"),
      topics: at("topics"),
      partition_reassignments: at("topics/-/partitions/-/reassignment"),
    };
  }

  topicResource(topic: Topic): z.infer<typeof topicSchema> {
    const self = this.topic(topic.name);
    return {
      kind: "KafkaTopic",
      metadata: this.#metadata(self, `/topic=${topic.name}`),
      cluster_id: this.#clusterId,
      topic_name: topic.name,
      is_internal: isInternal(topic.name),
      // -1 asks for the default, which is what there is: one log, kept as the storage keeps it.
      replication_factor: Math.max(1, topic.replicationFactor),
      partitions_count: topic.partitions,
      partitions: { related: `${self}/partitions` },
      configs: { related: `${self}/configs` },
      partition_reassignments: { related: `${self}/partitions/-/reassignment` },
    };
  }

  configResource(
    topic: string,
    entry: { name: string; value: string; defaultValue: string; isDefault: boolean },
  ): z.infer<typeof configSchema> {
    const { name, value, defaultValue, isDefault } = entry;
    const fallback = { name, value: defaultValue, source: "DEFAULT_CONFIG" };
    return {
      kind: "KafkaTopicConfig",
      metadata: this.#metadata(`${this.topic(topic)}/configs/${name}`, `/topic=${topic}/config=${name}`),
      cluster_id: this.#clusterId,
      topic_name: topic,
      name,
      value,
      is_default: isDefault,
      is_read_only: false,
      is_sensitive: false,
      source: isDefault ? "DEFAULT_CONFIG" : "DYNAMIC_TOPIC_CONFIG",
      synonyms: isDefault ? [fallback] : [{ name, value, source: "DYNAMIC_TOPIC_CONFIG" }, fallback],
    };
  }

  partitionResource(
    topic: string,
    info: { partition: number; logStartOffset: number; logEndOffset: number },
  ): z.infer<typeof partitionResourceSchema> {
    const self = `${this.topic(topic)}/partitions/${info.partition}`;
    return {
      kind: "KafkaPartition",
      metadata: this.#metadata(self, `/topic=${topic}/partition=${info.partition}`),
      cluster_id: this.#clusterId,
      topic_name: topic,
      partition_id: info.partition,
      leader: { related: `${self}/replicas/0` },
      replicas: { related: `${self}/replicas` },
      reassignment: { related: `${self}/reassignment` },
      log_start_offset: info.logStartOffset,
      log_end_offset: info.logEndOffset,
    };
  }

  list(kind: string, path: string, data: readonly unknown[]): unknown {
    return { kind: `${kind}List`, metadata: { self: `${this.#origin}${path}`, next: null }, data };
  }

  topic(name: string): string {
    return `${this.cluster}/topics/${name}`;
  }

  #metadata(self: string, name: string): { self: string; resource_name: string } {
    return { self, resource_name: `crn:///kafka=${this.#clusterId}${name}` };
  }
}

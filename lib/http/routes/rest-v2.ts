/** Topics, partitions and brokers by the paths and in the JSON of Confluent's REST API v2. There is one broker, 0. */
import * as z from "zod";
import type { Topic } from "../../log/types.ts";
import { onCluster, onTopic } from "../access.ts";
import type { Reply } from "../call.ts";
import type { Exchange } from "../exchange.ts";
import { documentSchema, FOR_PARTITION, V2_BINARY, V2_JSON } from "../json/shapes.ts";
import type { Limits } from "../limits.ts";
import { type Operation, operation } from "../operation.ts";
import { JSON_TYPE, V2_BINARY_TYPE, V2_JSON_TYPE } from "../produce/media.ts";
import { PRODUCE_HEADERS, produceQuery } from "../produce/options.ts";
import { produceV2ToPartition } from "../produce/v2-partition.ts";
import { v2Content, v2Json } from "../v2.ts";
import { accepted, offsetsSchema } from "./produce.ts";

const TOPIC = "/topics/{topic}";
const PARTITION = `${TOPIC}/partitions/{partition}`;
const BROKER = 0;

const partitionSchema = z.object({
  partition: z.int(),
  leader: z.int(),
  replicas: z.array(z.object({ broker: z.int(), leader: z.boolean(), in_sync: z.boolean() })),
});

const topicSchema = z.object({
  name: z.string(),
  configs: z.record(z.string(), z.string()),
  partitions: z.array(partitionSchema),
});

export function topicV2Operations(limits: Limits): Operation[] {
  return [
    operation({
      id: "listTopicsV2",
      method: "GET",
      path: "/topics",
      tag: "topics",
      summary: "The names of all topics (Confluent's v2)",
      access: onCluster("describe"),
      responses: { 200: { description: "the names", content: v2Content(z.array(z.string())) } },
      async handle(exchange) {
        const all = await exchange.surface.log.listTopics();
        const shown = all.filter(({ name }) => exchange.may({ resource: "topic", operation: "describe", name }));
        return v2Json(
          exchange,
          shown.map(({ name }) => name),
        );
      },
    }),
    operation({
      id: "getTopicV2",
      method: "GET",
      path: TOPIC,
      tag: "topics",
      summary: "A topic with its configs and partitions (Confluent's v2)",
      access: onTopic("describe", "topic"),
      responses: { 200: { description: "the topic", content: v2Content(topicSchema) } },
      async handle(exchange) {
        const topic = await topicOf(exchange);
        const configs = exchange.surface.log.topicConfigs(topic).map(({ name, value }) => [name, value] as const);
        return v2Json(exchange, {
          name: topic.name,
          configs: Object.fromEntries(configs),
          partitions: partitionsOf(topic),
        } satisfies z.infer<typeof topicSchema>);
      },
    }),
    operation({
      id: "listPartitionsV2",
      method: "GET",
      path: `${TOPIC}/partitions`,
      tag: "topics",
      summary: "The partitions of a topic (Confluent's v2)",
      access: onTopic("describe", "topic"),
      responses: { 200: { description: "the partitions", content: v2Content(z.array(partitionSchema)) } },
      handle: async (exchange) => v2Json(exchange, partitionsOf(await topicOf(exchange))),
    }),
    operation({
      id: "getPartitionV2",
      method: "GET",
      path: PARTITION,
      tag: "topics",
      summary: "One partition (Confluent's v2)",
      access: onTopic("describe", "topic"),
      responses: { 200: { description: "the partition", content: v2Content(partitionSchema) } },
      async handle(exchange) {
        const partition = exchange.partition();
        await exchange.surface.log.partitions(exchange.param("topic"), [partition]);
        return v2Json(exchange, partitionOf(partition));
      },
    }),
    operation({
      id: "getPartitionOffsetsV2",
      method: "GET",
      path: `${PARTITION}/offsets`,
      tag: "topics",
      summary: "Where the log of a partition begins and ends (Confluent's v2)",
      access: onTopic("describe", "topic"),
      responses: {
        200: {
          description: "the offsets",
          content: v2Content(z.object({ beginning_offset: z.int(), end_offset: z.int() })),
        },
      },
      async handle(exchange) {
        const [info] = await exchange.surface.log.partitions(exchange.param("topic"), [exchange.partition()]);
        const { logStartOffset, logEndOffset } = info as NonNullable<typeof info>;
        return v2Json(exchange, { beginning_offset: logStartOffset, end_offset: logEndOffset });
      },
    }),
    operation({
      id: "produceToPartitionV2",
      method: "POST",
      path: PARTITION,
      tag: "produce",
      summary: "Append to one partition (Confluent's v2)",
      access: onTopic("write", "topic"),
      query: produceQuery,
      headers: PRODUCE_HEADERS,
      body: {
        [V2_JSON_TYPE]: documentSchema({ ...V2_JSON, partition: undefined }, limits),
        [V2_BINARY_TYPE]: documentSchema({ ...V2_BINARY, partition: undefined }, limits),
        [JSON_TYPE]: documentSchema({ ...FOR_PARTITION, single: false }, limits),
      },
      responses: {
        200: { description: "durable", content: { [JSON_TYPE]: offsetsSchema } },
        202: accepted,
      },
      handle: produceV2ToPartition,
    }),
  ];
}

export function brokerV2Operations(): Operation[] {
  return [
    operation({
      id: "listBrokersV2",
      method: "GET",
      path: "/brokers",
      tag: "clusters",
      summary: "The one broker that clients see (Confluent's v2)",
      access: onCluster("describe"),
      responses: { 200: { description: "its id", content: v2Content(z.object({ brokers: z.array(z.int()) })) } },
      handle: (exchange): Reply => v2Json(exchange, { brokers: [BROKER] }),
    }),
  ];
}

function topicOf(exchange: Exchange): Promise<Topic> {
  return exchange.surface.log.topic(exchange.param("topic"));
}

function partitionsOf(topic: Topic): z.infer<typeof partitionSchema>[] {
  return Array.from({ length: topic.partitions }, (_, partition) => partitionOf(partition));
}

function partitionOf(partition: number): z.infer<typeof partitionSchema> {
  return { partition, leader: BROKER, replicas: [{ broker: BROKER, leader: true, in_sync: true }] };
}

/** Topics and their partitions, as Confluent's REST API v3 has them. */
import * as z from "zod";
import { BrokerlessError } from "../../base/errors.ts";
import type { TopicSpec } from "../../log/types.ts";
import { onAnyTopic, onCluster, onTopic } from "../access.ts";
import { json, noContent } from "../call.ts";
import type { Exchange } from "../exchange.ts";
import { check, requireUnicode } from "../json/issues.ts";
import { parseJson } from "../json/text.ts";
import { type Operation, operation } from "../operation.ts";
import { JSON_TYPE, unsupportedType } from "../produce/media.ts";
import { linksOf } from "./cluster.ts";
import { listOf, partitionResourceSchema, topicSchema } from "./resources.ts";

const TOPICS = "/v3/clusters/{cluster_id}/topics";
const TOPIC = `${TOPICS}/{topic_name}`;

const createSchema = z.object({
  topic_name: z.string(),
  partitions_count: z.int().optional(),
  replication_factor: z.int().optional(),
  replicas_assignments: z.array(z.unknown()).max(0, "there are no brokers to assign replicas to").optional(),
  configs: z.array(z.object({ name: z.string(), value: z.string().nullable().optional() })).optional(),
  validate_only: z.boolean().optional(),
});

const growSchema = z.object({ partitions_count: z.int(), validate_only: z.boolean().optional() });

/** The body as a schema has it. Throws `invalid_request`, `unsupported_media_type`. */
export async function jsonBody<T>(exchange: Exchange, schema: z.ZodType<T>): Promise<T> {
  const type = exchange.contentType();
  if (type !== undefined && type !== JSON_TYPE) throw unsupportedType(type, [JSON_TYPE]);
  const value = check(schema, parseJson(await exchange.body()));
  requireUnicode(value);
  return value;
}

function specOf(body: z.infer<typeof createSchema>): TopicSpec {
  const configs: Record<string, string> = {};
  for (const [i, { name, value }] of (body.configs ?? []).entries()) {
    if (Object.hasOwn(configs, name)) {
      throw new BrokerlessError("invalid_config", `config ${name} is given twice`, { field: `configs[${i}].name` });
    }
    if (value !== null && value !== undefined) configs[name] = value;
  }
  return {
    name: body.topic_name,
    configs,
    ...(body.partitions_count === undefined ? {} : { partitions: body.partitions_count }),
    ...(body.replication_factor === undefined ? {} : { replicationFactor: body.replication_factor }),
  };
}

const topicContent = { "application/json": topicSchema };

export function topicOperations(): Operation[] {
  return [
    operation({
      id: "listTopics",
      method: "GET",
      path: TOPICS,
      tag: "topics",
      summary: "All topics by name",
      access: onCluster("describe"),
      responses: { 200: { description: "the topics", content: { "application/json": listOf("KafkaTopic", topicSchema) } } },
      async handle(exchange) {
        const links = await linksOf(exchange);
        const all = await exchange.surface.log.listTopics();
        const topics = all.filter(({ name }) => exchange.may({ resource: "topic", operation: "describe", name }));
        return json(
          links.list(
            "KafkaTopic",
            exchange.call.path,
            topics.map((topic) => links.topicResource(topic)),
          ),
        );
      },
    }),
    operation({
      id: "createTopic",
      method: "POST",
      path: TOPICS,
      tag: "topics",
      summary: "Create a topic",
      access: onAnyTopic("admin"),
      body: { "application/json": createSchema },
      responses: {
        201: { description: "created", content: topicContent },
        200: { description: "validate_only: it could be", content: topicContent },
      },
      async handle(exchange) {
        const links = await linksOf(exchange);
        const body = await jsonBody(exchange, createSchema);
        exchange.require({ resource: "topic", operation: "admin", name: body.topic_name });
        const validateOnly = body.validate_only === true;
        const topic = await exchange.surface.log.createTopic(specOf(body), { validateOnly });
        return json(links.topicResource(topic), validateOnly ? 200 : 201, { location: links.topic(topic.name) });
      },
    }),
    operation({
      id: "getTopic",
      method: "GET",
      path: TOPIC,
      tag: "topics",
      summary: "One topic",
      access: onTopic("describe", "topic_name"),
      responses: { 200: { description: "the topic", content: topicContent } },
      async handle(exchange) {
        const links = await linksOf(exchange);
        return json(links.topicResource(await exchange.surface.log.topic(exchange.param("topic_name"))));
      },
    }),
    operation({
      id: "growTopic",
      method: "PATCH",
      path: TOPIC,
      tag: "topics",
      summary: "Add partitions; their number never shrinks",
      access: onTopic("admin", "topic_name"),
      body: { "application/json": growSchema },
      responses: { 200: { description: "the topic as it is now", content: topicContent } },
      async handle(exchange) {
        const links = await linksOf(exchange);
        const { partitions_count, validate_only } = await jsonBody(exchange, growSchema);
        const topic = await exchange.surface.log.growPartitions(exchange.param("topic_name"), partitions_count, {
          validateOnly: validate_only === true,
        });
        return json(links.topicResource(topic));
      },
    }),
    operation({
      id: "deleteTopic",
      method: "DELETE",
      path: TOPIC,
      tag: "topics",
      summary: "Delete a topic with all its records",
      access: onTopic("admin", "topic_name"),
      responses: { 204: { description: "deleted" } },
      async handle(exchange) {
        await linksOf(exchange);
        await exchange.surface.log.deleteTopic(exchange.param("topic_name"));
        return noContent();
      },
    }),
    operation({
      id: "listPartitions",
      method: "GET",
      path: `${TOPIC}/partitions`,
      tag: "topics",
      summary: "The partitions of a topic, with their offsets",
      access: onTopic("describe", "topic_name"),
      responses: {
        200: {
          description: "the partitions",
          content: { "application/json": listOf("KafkaPartition", partitionResourceSchema) },
        },
      },
      async handle(exchange) {
        const links = await linksOf(exchange);
        const topic = exchange.param("topic_name");
        const partitions = await exchange.surface.log.partitions(topic);
        return json(
          links.list(
            "KafkaPartition",
            exchange.call.path,
            partitions.map((info) => links.partitionResource(topic, info)),
          ),
        );
      },
    }),
    operation({
      id: "getPartition",
      method: "GET",
      path: `${TOPIC}/partitions/{partition_id}`,
      tag: "topics",
      summary: "One partition, with its offsets",
      access: onTopic("describe", "topic_name"),
      responses: { 200: { description: "the partition", content: { "application/json": partitionResourceSchema } } },
      async handle(exchange) {
        const links = await linksOf(exchange);
        const topic = exchange.param("topic_name");
        const [info] = await exchange.surface.log.partitions(topic, [exchange.partition("partition_id")]);
        return json(links.partitionResource(topic, info as NonNullable<typeof info>));
      },
    }),
  ];
}

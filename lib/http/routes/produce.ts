/** The routes that write records. */
import * as z from "zod";
import { onAnyTopic, onTopic } from "../access.ts";
import { json } from "../call.ts";
import {
  ATOMIC,
  documentSchema,
  FOR_PARTITION,
  FOR_TOPIC,
  type RecordShape,
  V2_BINARY,
  V2_JSON,
  V3_ENTRIES,
  V3_RECORD,
} from "../json/shapes.ts";
import type { Limits } from "../limits.ts";
import { type Operation, operation, type ResponseSpec } from "../operation.ts";
import { ourCluster } from "../our-cluster.ts";
import { produceAtomically } from "../produce/atomic.ts";
import { RAW_BATCHES, V2_BINARY_TYPE, V2_JSON_TYPE } from "../produce/media.ts";
import { PRODUCE_HEADERS, PRODUCER_HEADERS, produceQuery } from "../produce/options.ts";
import { produceToPartition } from "../produce/to-partition.ts";
import { produceToTopic } from "../produce/to-topic.ts";
import { produceV3, produceV3Batch } from "../produce/v3.ts";

export const appendedSchema = z.object({
  topic: z.string(),
  partition: z.int(),
  base_offset: z.int().describe("offset of the first record"),
  record_count: z.int(),
  log_append_time: z.int().optional().describe("where message.timestamp.type is LogAppendTime"),
  log_start_offset: z.int(),
  duplicate: z.boolean().describe("an idempotent repetition: nothing was written again"),
});

export const offsetsSchema = z.object({
  topic: z.string(),
  offsets: z
    .array(
      z.object({
        partition: z.int(),
        offset: z.int().nullable(),
        error_code: z.int().optional(),
        error: z.string().optional(),
        code: z.string().optional(),
        outcome: z.string().optional(),
      }),
    )
    .describe("of each record, in the order of the request"),
});

const payload = z.object({ type: z.string(), size: z.int() });

const report = z.object({
  error_code: z.int().describe("200 where it was written"),
  cluster_id: z.string(),
  topic_name: z.string(),
  partition_id: z.int(),
  offset: z.int(),
  timestamp: z.string(),
  key: payload.optional(),
  value: payload.optional(),
});

export const accepted: ResponseSpec = {
  description: "acks=0: not committed yet",
  content: {
    "application/json": z.object({ acks: z.literal("0"), topic: z.string().optional(), partition: z.int().optional() }),
  },
};

export function produceOperations(limits: Limits): Operation[] {
  const schemaOf = (shape: RecordShape) => documentSchema(shape, limits);
  const toTopicBody = {
    "application/json": schemaOf(FOR_TOPIC),
    [V2_JSON_TYPE]: schemaOf(V2_JSON),
    [V2_BINARY_TYPE]: schemaOf(V2_BINARY),
    [RAW_BATCHES]: "binary",
  } as const;
  const toTopicResponses = {
    200: {
      description: "durable; one record is answered as for a partition",
      content: { "application/json": z.union([appendedSchema, offsetsSchema]) },
    },
    202: accepted,
    207: { description: "some partitions failed", content: { "application/json": offsetsSchema } },
  };
  return [
    operation({
      id: "produceToPartition",
      method: "POST",
      path: "/topics/{topic}/partitions/{partition}/records",
      tag: "produce",
      summary: "Append to one partition: raw record batches, one record, or a list",
      access: onTopic("write", "topic"),
      query: produceQuery,
      headers: { ...PRODUCE_HEADERS, ...PRODUCER_HEADERS },
      body: { "application/json": schemaOf(FOR_PARTITION), [RAW_BATCHES]: "binary" },
      responses: { 200: { description: "durable", content: { "application/json": appendedSchema } }, 202: accepted },
      handle: produceToPartition,
    }),
    operation({
      id: "produceToTopic",
      method: "POST",
      path: "/topics/{topic}/records",
      tag: "produce",
      summary: "Append to a topic; records without a partition go by their key (murmur2), or stick to one",
      access: onTopic("write", "topic"),
      query: produceQuery,
      headers: PRODUCE_HEADERS,
      body: toTopicBody,
      responses: toTopicResponses,
      handle: produceToTopic,
    }),
    operation({
      id: "produceV2",
      method: "POST",
      path: "/topics/{topic}",
      tag: "produce",
      summary: "The same under Confluent's v2 path",
      access: onTopic("write", "topic"),
      query: produceQuery,
      headers: PRODUCE_HEADERS,
      body: toTopicBody,
      responses: toTopicResponses,
      handle: produceToTopic,
    }),
    operation({
      id: "produceAtomically",
      method: "POST",
      path: "/v1/produce",
      tag: "produce",
      summary: "Append to several partitions and topics, and commit offsets of a group with them, all or none",
      access: onAnyTopic("write"),
      query: produceQuery,
      headers: PRODUCE_HEADERS,
      body: { "application/json": schemaOf(ATOMIC) },
      responses: {
        200: {
          description: "all durable",
          content: { "application/json": z.object({ partitions: z.array(appendedSchema), committed: z.int().optional() }) },
        },
        202: accepted,
      },
      handle: produceAtomically,
    }),
    operation({
      id: "allocateProducerId",
      method: "POST",
      path: "/v1/producer-ids",
      tag: "produce",
      summary: "A fresh id for an idempotent producer",
      access: onAnyTopic("write"),
      responses: {
        201: {
          description: "never given before",
          content: { "application/json": z.object({ producer_id: z.int(), producer_epoch: z.int() }) },
        },
      },
      async handle({ surface }) {
        const { producerId, producerEpoch } = await surface.log.allocateProducerId();
        return json({ producer_id: producerId, producer_epoch: producerEpoch }, 201);
      },
    }),
    operation({
      id: "produceV3",
      method: "POST",
      path: "/v3/clusters/{cluster_id}/topics/{topic_name}/records",
      tag: "produce",
      summary: "Append one record, or a stream: documents one after the other in a chunked body, each answered by one",
      access: onTopic("write", "topic_name"),
      query: produceQuery,
      headers: PRODUCE_HEADERS,
      body: { "application/json": schemaOf(V3_RECORD) },
      responses: {
        200: { description: "durable; in a stream each document says for itself", content: { "application/json": report } },
        202: accepted,
      },
      handle: async (exchange) => produceV3(exchange, await ourCluster(exchange)),
    }),
    operation({
      id: "produceV3Batch",
      method: "POST",
      path: "/v3/clusters/{cluster_id}/topics/{topic_name}/records:batch",
      tag: "produce",
      summary: "Append several records, each answered for itself",
      access: onTopic("write", "topic_name"),
      query: produceQuery,
      headers: PRODUCE_HEADERS,
      body: { "application/json": schemaOf(V3_ENTRIES) },
      responses: {
        207: {
          description: "what became of each",
          content: {
            "application/json": z.object({
              successes: z.array(report.extend({ id: z.string() })),
              failures: z.array(z.object({ id: z.string(), error_code: z.int(), message: z.string() })),
            }),
          },
        },
      },
      handle: async (exchange) => produceV3Batch(exchange, await ourCluster(exchange)),
    }),
  ];
}

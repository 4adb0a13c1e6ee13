/** Consumers by the paths and in the JSON of Confluent's REST API v2. Their state is in the table: any process serves any call. */
import * as z from "zod";
import { onGroup } from "../access.ts";
import * as consumers from "../groups/rest-consumers.ts";
import type { Limits } from "../limits.ts";
import { type Operation, type OperationSpec, operation } from "../operation.ts";
import { V2_BINARY_TYPE, V2_JSON_TYPE } from "../produce/media.ts";
import { v2Content } from "../v2.ts";

const GROUP = "/consumers/{group}";
const INSTANCE = `${GROUP}/instances/{instance}`;
const SEEN = { [consumers.SEQUENCE_HEADER]: "of the last answer that arrived: where a later one was lost, it is given again" };

const record = z.object({
  topic: z.string(),
  key: z.unknown(),
  value: z.unknown(),
  partition: z.int(),
  offset: z.int(),
});
const partitions = z.object({ partitions: z.array(z.object({ topic: z.string(), partition: z.int() })) });
const offsets = z.object({
  offsets: z.array(z.object({ topic: z.string(), partition: z.int(), offset: z.int(), metadata: z.string() })),
});
const done = { 204: { description: "done" } };

function ofInstance<Q extends z.ZodObject>(
  spec: Omit<OperationSpec<Q>, "path" | "tag" | "access"> & { readonly at: string },
): Operation {
  const { at, ...rest } = spec;
  return operation({ ...rest, path: `${INSTANCE}${at}`, tag: "groups", access: onGroup("read", "group") } as OperationSpec<Q>);
}

export function restConsumerOperations(limits: Limits): Operation[] {
  const createSchema = consumers.createSchema(limits);
  return [
    operation({
      id: "createConsumer",
      method: "POST",
      path: GROUP,
      tag: "groups",
      summary: "Create a consumer (Confluent's v2); it is gone 300 s after its last call",
      access: onGroup("read", "group"),
      body: v2Content(createSchema),
      bodyOptional: true,
      responses: {
        200: { description: "where it is", content: v2Content(z.object({ instance_id: z.string(), base_uri: z.string() })) },
      },
      handle: (exchange) => consumers.create(exchange, createSchema),
    }),
    ofInstance({
      id: "deleteConsumer",
      method: "DELETE",
      at: "",
      summary: "Commit what the last read returned, leave the group, and delete the consumer",
      headers: SEEN,
      responses: done,
      handle: consumers.remove,
    }),
    ofInstance({
      id: "subscribeConsumer",
      method: "POST",
      at: "/subscription",
      summary: "Read topics, or those that a pattern matches, as a member of the group",
      body: v2Content(consumers.subscriptionSchema),
      responses: done,
      handle: consumers.subscribe,
    }),
    ofInstance({
      id: "getConsumerSubscription",
      method: "GET",
      at: "/subscription",
      summary: "What the consumer is subscribed to",
      responses: {
        200: {
          description: "topics",
          content: v2Content(z.object({ topics: z.array(z.string()), topic_pattern: z.string().optional() })),
        },
      },
      handle: consumers.subscription,
    }),
    ofInstance({
      id: "unsubscribeConsumer",
      method: "DELETE",
      at: "/subscription",
      summary: "Commit what the last read returned, leave the group, and have no partitions",
      responses: done,
      handle: consumers.unsubscribe,
    }),
    ofInstance({
      id: "assignConsumer",
      method: "POST",
      at: "/assignments",
      summary: "Read exactly these partitions, as no member of the group",
      body: v2Content(consumers.partitionsSchema),
      responses: done,
      handle: consumers.assign,
    }),
    ofInstance({
      id: "getConsumerAssignments",
      method: "GET",
      at: "/assignments",
      summary: "The partitions that the consumer has; a subscribed one gets them with its first read",
      responses: { 200: { description: "partitions", content: v2Content(partitions) } },
      handle: consumers.assignments,
    }),
    ofInstance({
      id: "commitConsumerOffsets",
      method: "POST",
      at: "/offsets",
      summary: "Commit what was returned, or these offsets: each is the last that is done with",
      body: v2Content(consumers.commitSchema),
      bodyOptional: true,
      responses: { 200: { description: "what is committed now: the next offsets to be read", content: v2Content(offsets) } },
      handle: consumers.commit,
    }),
    ofInstance({
      id: "getConsumerOffsets",
      method: "GET",
      at: "/offsets",
      summary: "What the group has committed for the consumer's partitions, or for those that a body names",
      responses: { 200: { description: "offsets", content: v2Content(offsets) } },
      handle: consumers.committed,
    }),
    ofInstance({
      id: "seekConsumer",
      method: "POST",
      at: "/positions",
      summary: "Read on from these offsets",
      body: v2Content(consumers.positionsSchema),
      responses: done,
      handle: consumers.seek,
    }),
    ofInstance({
      id: "seekConsumerToBeginning",
      method: "POST",
      at: "/positions/beginning",
      summary: "Read on from the first offset that there is",
      body: v2Content(consumers.partitionsSchema),
      responses: done,
      handle: (exchange) => consumers.seekToEnd(exchange, "earliest"),
    }),
    ofInstance({
      id: "seekConsumerToEnd",
      method: "POST",
      at: "/positions/end",
      summary: "Read on from the end, as it is now",
      body: v2Content(consumers.partitionsSchema),
      responses: done,
      handle: (exchange) => consumers.seekToEnd(exchange, "latest"),
    }),
    ofInstance({
      id: "readConsumerRecords",
      method: "GET",
      at: "/records",
      summary: "Commit what the last read returned, and read on",
      query: consumers.recordsQuery,
      headers: SEEN,
      responses: {
        200: {
          description: "records, in the consumer's format",
          content: { [V2_BINARY_TYPE]: z.array(record), [V2_JSON_TYPE]: z.array(record), ...v2Content(z.array(record)) },
          headers: { [consumers.SEQUENCE_HEADER]: "names this answer" },
        },
      },
      handle: consumers.records,
    }),
  ];
}

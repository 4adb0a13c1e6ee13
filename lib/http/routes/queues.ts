/** Queues: a share group over HTTP. Any server serves any call. */
import * as z from "zod";
import { onCluster, onGroup } from "../access.ts";
import type { Limits } from "../limits.ts";
import { type Operation, operation } from "../operation.ts";
import { JSON_TYPE } from "../produce/media.ts";
import { receive, receiveSchema } from "../queues/receive.ts";
import { extendSchema, settle, settledSchema, settleSchema } from "../queues/settle.ts";
import { listQueues, queueRowSchema, redrivenSchema, redriveQueue, redriveSchema, stats, statsSchema } from "../queues/stats.ts";

const QUEUES = "/v1/queues";
const QUEUE = `${QUEUES}/{group}`;

const content = <T extends z.ZodType>(schema: T) => ({ [JSON_TYPE]: schema });

const SETTLES = [
  ["ack", "ackMessages", "Messages are done: they are not delivered again"],
  ["release", "releaseMessages", "Give messages back: others get them at once"],
  ["reject", "rejectMessages", "Messages cannot be processed: to the dead-letter topic, or nowhere"],
] as const;

export function queueOperations(limits: Limits): Operation[] {
  const body = receiveSchema(limits);
  return [
    operation({
      id: "receiveMessages",
      method: "POST",
      path: `${QUEUE}/receive`,
      tag: "groups",
      summary: "Take messages of topics to work on; nobody else gets them until they are released or their time is over",
      access: onGroup("read", "group"),
      body: content(body),
      responses: {
        200: {
          description: "messages, which may be none",
          content: content(
            z.looseObject({
              messages: z.array(
                z.looseObject({
                  receipt: z.string(),
                  delivery_count: z.int(),
                  topic: z.string(),
                  partition: z.int(),
                  offset: z.int(),
                }),
              ),
              visibility_timeout_ms: z.int(),
              errors: z.array(z.looseObject({ topic: z.string(), partition: z.int(), code: z.string(), message: z.string() })),
            }),
          ),
        },
      },
      handle: (exchange) => receive(exchange, body),
    }),
    ...SETTLES.map(([how, id, summary]) =>
      operation({
        id,
        method: "POST",
        path: `${QUEUE}/${how}`,
        tag: "groups",
        summary,
        access: onGroup("read", "group"),
        body: content(settleSchema),
        responses: { 200: { description: "what became of each", content: content(settledSchema) } },
        handle: (exchange) => settle(exchange, how),
      }),
    ),
    operation({
      id: "extendMessages",
      method: "POST",
      path: `${QUEUE}/extend`,
      tag: "groups",
      summary: "Keep messages for longer: their time begins anew",
      access: onGroup("read", "group"),
      body: content(extendSchema),
      responses: { 200: { description: "what became of each", content: content(settledSchema) } },
      handle: (exchange) => settle(exchange, "extend"),
    }),
    operation({
      id: "listQueues",
      method: "GET",
      path: QUEUES,
      tag: "groups",
      summary: "What there is to do in every queue, topic by topic",
      access: onCluster("describe"),
      responses: {
        200: { description: "a row a group and topic", content: content(z.object({ queues: z.array(queueRowSchema) })) },
      },
      handle: listQueues,
    }),
    operation({
      id: "getQueue",
      method: "GET",
      path: QUEUE,
      tag: "groups",
      summary: "What there is to do in a queue",
      access: onGroup("describe", "group"),
      responses: { 200: { description: "depth, in flight, dead letters, age", content: content(statsSchema) } },
      handle: stats,
    }),
    operation({
      id: "redriveQueue",
      method: "POST",
      path: `${QUEUE}/redrive`,
      tag: "groups",
      summary: "Dead letters of the group back to the topics that they came from",
      access: onGroup("read", "group"),
      body: content(redriveSchema),
      responses: { 200: { description: "how many", content: content(redrivenSchema) } },
      handle: redriveQueue,
    }),
  ];
}

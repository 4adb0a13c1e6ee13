/** The routes that read records. */
import * as z from "zod";
import { onTopic } from "../access.ts";
import { EVENT_JSON, eventSchema } from "../cloudevents/event.ts";
import { ONE_TYPES, oneQuery, readOne } from "../consume/one.ts";
import { READ_TYPES, readQuery, readRecords } from "../consume/read.ts";
import type { Limits } from "../limits.ts";
import { type Operation, operation } from "../operation.ts";

const PARTITION = "/topics/{topic}/partitions/{partition}";

const payload = z.object({ type: z.enum(["STRING", "BINARY", "JSON"]), data: z.unknown() }).nullable();

const record = z.object({
  offset: z.int(),
  timestamp: z.int(),
  timestamp_type: z.enum(["CreateTime", "LogAppendTime"]),
  key: payload,
  value: payload,
  headers: z.array(z.object({ name: z.string(), value: z.string().nullable().describe("base64") })),
});

const readDocument = z.object({
  topic: z.string(),
  partition: z.int(),
  log_start_offset: z.int(),
  log_end_offset: z.int(),
  records: z.array(record),
  next_offset: z.int().describe("where to read on"),
});

const READ_HEADERS = {
  "Kafka-Next-Offset": "where to read on",
  "Kafka-Log-Start-Offset": "the first offset that can be read",
  "Kafka-Log-End-Offset": "the offset that the next record gets",
};

/** What a read may be asked for, by media type. */
function readContent(): Record<string, z.ZodType | "binary"> {
  return Object.fromEntries(READ_TYPES.map((type) => [type, type === "application/json" ? readDocument : "binary"]));
}

export function consumeOperations(limits: Limits): Operation[] {
  return [
    operation({
      id: "readRecords",
      method: "GET",
      path: `${PARTITION}/records`,
      tag: "consume",
      summary: "Read from an offset on: one fetch, a long poll (timeout), or all there is (stream=true)",
      access: onTopic("read", "topic"),
      query: readQuery(limits),
      headers: { "If-None-Match": "the ETag of an earlier answer" },
      responses: {
        200: {
          description: "records, in the representation that Accept asks for",
          content: readContent(),
          headers: READ_HEADERS,
        },
        304: { description: "as you have it" },
      },
      handle: readRecords,
    }),
    operation({
      id: "readRecord",
      method: "GET",
      path: `${PARTITION}/records/{offset}`,
      tag: "consume",
      summary: "One record: as JSON, as a CloudEvent, or its value alone (with ce-* headers where it is an event)",
      access: onTopic("read", "topic"),
      query: oneQuery,
      responses: {
        200: {
          description: "the record",
          content: Object.fromEntries(
            ONE_TYPES.map((type) => [
              type,
              type === EVENT_JSON
                ? eventSchema
                : type === "application/json"
                  ? record.extend({ topic: z.string(), partition: z.int() })
                  : "binary",
            ]),
          ),
        },
        204: { description: "its value is null, and only that was asked for" },
      },
      handle: readOne,
    }),
  ];
}

/** What a partition has: offsets by place and time, its segments; and what of it is to go. */
import * as z from "zod";
import { BrokerlessError } from "../../base/errors.ts";
import type { OffsetSpec } from "../../log/types.ts";
import { onTopic } from "../access.ts";
import { json } from "../call.ts";
import { isolationSchema } from "../consume/position.ts";
import { isoTimeSchema } from "../json/shapes.ts";
import { type Operation, operation } from "../operation.ts";
import { wholeNumber } from "../query.ts";

const PARTITION = "/v1/topics/{topic}/partitions/{partition}";

const MANIFEST_DEFAULT = 32;
const MANIFEST_MOST = 256;

const manifestSchema = z.object({
  topic: z.string(),
  partition: z.int(),
  log_start_offset: z.int(),
  log_end_offset: z.int(),
  segments: z
    .array(
      z.object({
        base_offset: z.int(),
        next_offset: z.int().describe("one after the last offset that it covers"),
        from_byte: z.int().describe("whole record batches lie from here on; the first may begin below the offset"),
        to_byte: z.int().describe("to before here, the end of the object"),
        url: z.string().describe("for GET, with Range; whoever holds it can read the segment until it expires"),
      }),
    )
    .describe("in order, without a gap; what is not in a segment yet is read by /records"),
  aborted: z
    .array(z.object({ producer_id: z.int(), first_offset: z.int(), marker_offset: z.int() }))
    .describe("transactions whose batches, from the first offset to before the marker, are not to be shown"),
  next_offset: z.int().describe("where to go on: with another manifest, and where that has no segments, with /records"),
  expires_at: z.iso.datetime(),
});

const atSchema = z
  .union([z.enum(["earliest", "latest", "max_timestamp"]), wholeNumber(0, 8.64e15), isoTimeSchema], {
    error: "must be earliest, latest, max_timestamp, milliseconds since 1970, or RFC 3339",
  })
  .describe("earliest, latest, max_timestamp; or a time (milliseconds since 1970, or RFC 3339): the first record at or after it");

function offsetSpec(at: z.infer<typeof atSchema>): OffsetSpec {
  if (typeof at === "number") return { timestampMs: at };
  if (at === "earliest" || at === "latest" || at === "max_timestamp") return { at };
  return { timestampMs: Date.parse(at) };
}

export function partitionOperations(): Operation[] {
  return [
    operation({
      id: "listOffset",
      method: "GET",
      path: `${PARTITION}/offsets`,
      tag: "consume",
      summary: "An offset by place or by time (Kafka's ListOffsets); -1 where no record fits",
      access: onTopic("describe", "topic"),
      query: z.strictObject({
        at: atSchema.default("latest"),
        isolation: isolationSchema
          .default("read_uncommitted")
          .describe("read_committed: latest is where open transactions begin"),
      }),
      responses: {
        200: {
          description: "the offset",
          content: {
            "application/json": z.object({
              topic: z.string(),
              partition: z.int(),
              offset: z.int(),
              timestamp: z.int().describe("of that record; -1 with earliest and latest"),
            }),
          },
        },
      },
      async handle(exchange) {
        const topic = exchange.param("topic");
        const partition = exchange.partition();
        const { at, isolation } = exchange.query;
        const { offset, timestampMs } = await exchange.surface.log.listOffset(topic, partition, offsetSpec(at), isolation);
        return json({ topic, partition, offset, timestamp: timestampMs });
      },
    }),
    operation({
      id: "manifest",
      method: "GET",
      path: `${PARTITION}/manifest`,
      tag: "consume",
      summary: "Segments from an offset on, as URLs that read them straight from the bucket; 404 where the storage has none",
      access: onTopic("read", "topic"),
      query: z.strictObject({
        offset: wholeNumber(0, Number.MAX_SAFE_INTEGER).optional().describe("the first offset wanted; default: the log start"),
        limit: wholeNumber(1, MANIFEST_MOST).default(MANIFEST_DEFAULT).describe(`segments at most, up to ${MANIFEST_MOST}`),
      }),
      responses: { 200: { description: "the segments", content: { "application/json": manifestSchema } } },
      async handle(exchange) {
        const { log } = exchange.surface;
        const topic = exchange.param("topic");
        const partition = exchange.partition();
        const { limit } = exchange.query;
        const offset = exchange.query.offset ?? (await log.listOffset(topic, partition, { at: "earliest" })).offset;
        const found = await log.manifest(topic, partition, offset, limit);
        const document: z.infer<typeof manifestSchema> = {
          topic,
          partition,
          log_start_offset: found.logStartOffset,
          log_end_offset: found.logEndOffset,
          segments: found.segments.map((segment) => ({
            base_offset: segment.baseOffset,
            next_offset: segment.nextOffset,
            from_byte: segment.fromByte,
            to_byte: segment.toByte,
            url: segment.url,
          })),
          aborted: found.aborted.map((one) => ({
            producer_id: one.producerId,
            first_offset: one.firstOffset,
            marker_offset: one.markerOffset,
          })),
          next_offset: found.nextOffset,
          expires_at: new Date(found.expiresAtMs).toISOString(),
        };
        return json(document, 200, { "cache-control": "no-store" });
      },
    }),
    operation({
      id: "deleteRecords",
      method: "DELETE",
      path: `${PARTITION}/records`,
      tag: "consume",
      summary: "Delete the records before an offset (Kafka's DeleteRecords)",
      access: onTopic("admin", "topic"),
      query: z.strictObject({
        before: wholeNumber(-1, Number.MAX_SAFE_INTEGER)
          .optional()
          .describe("the first offset that stays; -1: all that there is goes"),
      }),
      responses: {
        200: {
          description: "the log start offset now",
          content: { "application/json": z.object({ topic: z.string(), partition: z.int(), log_start_offset: z.int() }) },
        },
      },
      async handle(exchange) {
        const topic = exchange.param("topic");
        const partition = exchange.partition();
        const { before } = exchange.query;
        if (before === undefined) {
          throw new BrokerlessError(
            "invalid_request",
            "before is missing; it is the first offset that stays, or -1 to delete all",
            { field: "before" },
          );
        }
        return json({ topic, partition, log_start_offset: await exchange.surface.log.deleteRecords(topic, partition, before) });
      },
    }),
  ];
}

/** `GET /topics/{topic}/partitions/{partition}/records`: one fetch, a long poll, or the whole rest of the log. */
import * as z from "zod";
import { BrokerlessError } from "../../base/errors.ts";
import { readShown } from "../../log/read/shown.ts";
import type { ReadResult, Topic } from "../../log/types.ts";
import type { Reply } from "../call.ts";
import type { Exchange } from "../exchange.ts";
import type { Limits } from "../limits.ts";
import { chooseType } from "../negotiate.ts";
import { RAW_BATCHES } from "../produce/media.ts";
import { flag, wholeNumber } from "../query.ts";
import { FORMATS } from "./payload.ts";
import { isFixed, isolationSchema, positionSchema, resolvePosition } from "./position.ts";
import { replay } from "./replay.ts";
import { type Place, REPRESENTATIONS, type Representation } from "./representations.ts";
import { EVENT_STREAM, partitionEvents } from "./sse.ts";
import { walkRecords } from "./walk.ts";
import { JsonWriter } from "./writer.ts";

export function readQuery(limits: Limits) {
  return z.strictObject({
    offset: positionSchema.default("earliest"),
    max_bytes: wholeNumber(1, limits.readBytes)
      .optional()
      .describe("about how many bytes of batches at most; one batch at least. Default 1048576"),
    timeout: wholeNumber(0, limits.waitMs)
      .optional()
      .describe("at the end of the log: how many milliseconds to wait for something new. Default 0"),
    format: z
      .enum(FORMATS)
      .default("auto")
      .describe("what keys and values are shown as; auto: text where it is UTF-8, else base64"),
    isolation: isolationSchema,
    stream: flag.optional().describe("answer everything up to the present end of the log, however much, as it is read"),
  });
}

export type ReadQuery = z.infer<ReturnType<typeof readQuery>>;

export const READ_TYPES: readonly string[] = [...REPRESENTATIONS.map(({ mediaType }) => mediaType), RAW_BATCHES, EVENT_STREAM];

const DEFAULT_MAX_BYTES = 1024 * 1024;

export async function readRecords(exchange: Exchange<ReadQuery>): Promise<Reply> {
  const { query, call, surface } = exchange;
  const topic = exchange.param("topic");
  const partition = exchange.partition();
  const type = chooseType(call.header("accept"), READ_TYPES);
  if (type === EVENT_STREAM) {
    refuseWithStream(query, "text/event-stream");
    const { offset: position, format, isolation } = query;
    return partitionEvents(exchange, { topic, partition, position, format, isolation });
  }
  const representation = REPRESENTATIONS.find(({ mediaType }) => mediaType === type);
  const offset = await resolvePosition(surface.log, topic, partition, query.offset, query.isolation);
  const place: Place = { topic, partition, format: query.format };
  if (query.stream === true) {
    refuseWithStream(query, "stream=true");
    return replay(exchange, place, offset, query.isolation, representation);
  }
  const result = await fetchOrWait(exchange, topic, partition, offset);
  const headers = offsetHeaders(result, representation?.mediaType ?? RAW_BATCHES);
  // Only what can never grow may be kept by others: it was full before the log's end.
  if (isFixed(query.offset) && result.nextOffset < result.logEndOffset) {
    const etag = etagOf(
      await surface.log.topic(topic),
      place,
      offset,
      result,
      `${READ_TYPES.indexOf(type)}${query.isolation === "read_committed" ? "" : "u"}`,
    );
    headers["etag"] = etag;
    headers["cache-control"] = "public, max-age=3600, immutable";
    if (matches(call.header("if-none-match"), etag)) return { status: 304, headers, body: null, compressible: false };
  }
  const body = representation === undefined ? rawBody(result) : render(exchange, place, offset, result, representation);
  return { status: 200, headers, body, compressible: representation !== undefined };
}

function refuseWithStream(query: ReadQuery, what: string): void {
  const field = query.max_bytes !== undefined ? "max_bytes" : query.timeout !== undefined ? "timeout" : undefined;
  if (field !== undefined)
    throw new BrokerlessError("invalid_request", `${field} does not go with ${what}, which has no end or size of its own`, {
      field,
    });
}

/** A read that ends at once, with nothing new, when the server is about to stop. */
async function fetchOrWait(exchange: Exchange<ReadQuery>, topic: string, partition: number, offset: number): Promise<ReadResult> {
  const { query, surface, call } = exchange;
  const { log, stopping } = surface;
  const maxBytes = query.max_bytes ?? DEFAULT_MAX_BYTES;
  const maxWaitMs = query.timeout ?? 0;
  const { isolation } = query;
  if (maxWaitMs === 0 || stopping.aborted) return readShown(log, { topic, partition, offset, maxBytes, isolation });
  const signal = AbortSignal.any([stopping, call.signal()]);
  try {
    return await readShown(log, { topic, partition, offset, maxBytes, maxWaitMs, isolation, signal });
  } catch (error) {
    if (!signal.aborted) throw error;
    return readShown(log, { topic, partition, offset, maxBytes, isolation });
  }
}

function offsetHeaders(result: ReadResult, contentType: string): Record<string, string> {
  return {
    "content-type": contentType,
    "cache-control": "no-store",
    vary: "accept, accept-encoding",
    "kafka-next-offset": String(result.nextOffset),
    "kafka-log-start-offset": String(result.logStartOffset),
    "kafka-log-end-offset": String(result.logEndOffset),
  };
}

function rawBody({ batches, sizeBytes }: ReadResult): Reply["body"] {
  if (batches.length === 1) return batches[0] as Uint8Array;
  return Buffer.concat(batches, sizeBytes);
}

function render(
  exchange: Exchange,
  place: Place,
  offset: number,
  result: ReadResult,
  representation: Representation,
): Uint8Array {
  const out = new JsonWriter(Math.min(result.sizeBytes * 2 + 4096, 16 * 1024 * 1024));
  representation.begin(out, place, result);
  let first = true;
  walkRecords(result.batches, exchange.surface.codecs, offset, Number.POSITIVE_INFINITY, (record, timestampType) => {
    representation.record(out, place, record, timestampType, first);
    first = false;
  });
  representation.end(out, result.nextOffset);
  return out.take();
}

/** Says all that the answer depends on. Weak: the same records may be compressed in several ways. */
function etagOf(topic: Topic, place: Place, offset: number, result: ReadResult, shownAs: string): string {
  return `W/"${topic.id}-${place.partition}-${offset}-${result.nextOffset}-${place.format}-${shownAs}"`;
}

/** If-None-Match compares weakly (RFC 9110, 13.1.2). */
function matches(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  const opaque = etag.slice(2);
  return header === "*" || header.split(",").some((one) => one.trim().replace(/^W\//, "") === opaque);
}
